"""The front door: what `import harness` gives, which the command line and the pytest plugin are made of, too."""
