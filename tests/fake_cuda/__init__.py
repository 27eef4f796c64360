"""A fake CUDA device, which lets tests run the code for GPUs on a machine without one.

Inside `with pretend():` torch has one CUDA device. Its operators run on the CPU with real numbers.
The fake device raises or records, with the line of this repository that caused it:

- operators on tensors of both devices, CPU generators for numbers on the device, and operators that
  CUDA lacks;
- host reads of values, copies that block or use pageable memory, synchronizations, and algorithm
  searches of cuDNN;
- races between streams, by vector clocks: memory used before another stream has surely written it,
  memory freed while another stream may use it (no `record_stream`), copies read before they arrive;
- streams that turn out to be one, since torch hands out the 32 of its pool in turn;
- host reads, copies and pinned allocations while a CUDA graph is recorded. A replay repeats the
  recorded launches into the same memory, and spoils what later recordings left in their pool;
- fp32 products while TF32 is allowed.

It cannot check kernels, cuDNN, cuBLAS, the arithmetic of TF32, the memory that work really takes,
or speed. An LSTM is one operator, run on the CPU: only a GPU shows whether cuDNN takes its weights
as one block and can be recorded. `torch.compile` runs functions uncompiled. It needs a CUDA build
of torch, without driver.
"""

from __future__ import annotations

from tests.fake_cuda.device import pretend
from tests.fake_cuda.findings import FOUND, FakeCudaError, Finding
from tests.fake_cuda.memory import out_of_memory

__all__ = ["FOUND", "FakeCudaError", "Finding", "out_of_memory", "pretend"]
