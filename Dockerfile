# harness in a container:  docker build -t edge-harness .  (podman build takes the same file)
#   docker run --rm --user "$(id -u):$(id -g)" -e HOME=/tmp -v "$PWD":/work edge-harness run experiment.toml
FROM python:3.11-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends openssh-client \
 && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE /source/
COPY harness /source/harness
RUN pip install --no-cache-dir '/source[build]'
WORKDIR /work
ENTRYPOINT ["harness"]
CMD ["--help"]
