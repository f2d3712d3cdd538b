"""`python -m starters.cli` is `plixo`, where the script is not on the path."""

from starters.cli.main import main

if __name__ == "__main__":
    main()
