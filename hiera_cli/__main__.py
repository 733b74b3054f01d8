"""`python -m hiera_cli` is `hiera`."""

from hiera_cli.cli.app import main

if __name__ == "__main__":
    main()
