"""One file or package per job: request in, result out, progress by callback."""
