"""One file per job: request in, result out, progress by callback."""
