"""`python -m mashup_worker`."""

from mashup_worker.cli import main

main()
