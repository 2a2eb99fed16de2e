"""`serve` answers the host for one run; `job DIR` measures what DIR/job.json says, once, in this process;
`fork RUNTIME` does so for each DIR that a line of stdin names, in a process of its own; `restore SETTINGS` puts back
what tuning changed, when its stdin ends."""

import sys

# Each command imports its own module alone: a job is started thousands of times, and a zipapp is compiled each time.


def main(argv):
    if argv[:1] == ["serve"] and len(argv) == 1:
        from device import serve  # type: ignore[import-not-found] # the package of the zipapp

        return serve.main()
    if argv[:1] == ["job"] and len(argv) == 2:
        from device import job

        return job.main(argv[1])
    if argv[:1] == ["fork"] and len(argv) == 2:
        from device import forks

        return forks.main(argv[1])
    if argv[:1] == ["restore"] and len(argv) == 2:
        from device import tune

        return tune.main(argv[1])
    sys.stderr.write("usage: serve | job DIR | fork RUNTIME | restore SETTINGS\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
