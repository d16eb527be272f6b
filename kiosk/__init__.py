"""The gate: what runs on the device.

Its matrices are small and many. Shared out over threads by OpenBLAS, which each process starts one of per core, they
cost ten times the processor and take the cores from the other lanes (a photo of many symbols: 11.2 s instead of 1.1 s of
CPU on two busy cores). It must be said before numpy is first imported, and this is imported before everything else.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
