"""What any program needs: files, caches, arrays larger than memory, child processes, TOML, safe text."""
