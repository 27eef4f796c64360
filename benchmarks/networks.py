from mashup_worker.bench.networks import *  # noqa
