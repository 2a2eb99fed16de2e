"""`serve` answers the host for one run; `job DIR` measures what DIR/job.json says, once, in this process."""

import sys

from device import job, serve  # type: ignore[import-not-found] # the package of the zipapp


def main(argv):
    if argv[:1] == ["serve"] and len(argv) == 1:
        return serve.main()
    if argv[:1] == ["job"] and len(argv) == 2:
        return job.main(argv[1])
    sys.stderr.write("usage: serve | job DIR\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
