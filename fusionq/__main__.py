"""`python -m fusionq` is the `fusionq` command."""

from fusionq.cli import main

main()
