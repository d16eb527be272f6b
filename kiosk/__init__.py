"""The gate: what runs on the device.

Its matrices are small and many. Shared out by OpenBLAS over a thread for each core they cost ten times the processor
(a photo of many symbols: 11.2 s of CPU instead of 1.1 s on two busy cores), and take the cores from the other lanes.
This must be said before numpy is first imported; this module is imported before everything else.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
