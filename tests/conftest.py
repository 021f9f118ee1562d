"""One torch thread: the tests' tensors are small, and two threads wait for each other longer than they compute."""

import torch

torch.set_num_threads(1)
