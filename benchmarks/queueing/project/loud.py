"""A trainer whose helper prints many lines: in every second epoch into the job's log, else to nowhere."""

from __future__ import annotations

import subprocess
import sys
import time

import fusionq as tf

LINE = "worker 3: sample 0123456789 decoded in 0.00042 s\n"
TICKS_PER_S = 100
STAMPS_PER_S = 20

# Prints as many lines per second as its argument says, once "1" came, and to nowhere after "0".
HELPER = f"""
import os, sys, select, time
rate, out, nowhere = int(sys.argv[1]), 1, os.open(os.devnull, os.O_WRONLY)
lines, to, due = {LINE!r}.encode() * (rate // {TICKS_PER_S}), nowhere, time.monotonic()
while True:
    due += 1 / {TICKS_PER_S}
    ready, _, _ = select.select([0], [], [], max(0.0, due - time.monotonic()))
    if ready:
        word = os.read(0, 1)
        if not word:
            break
        to = out if word == b"1" else nowhere
    view = memoryview(lines)
    while view:
        view = view[os.write(to, view):]
"""


class Loud(tf.StandardModel):
    """lines_per_s: of the helper; 0 is none. is_stamping: it says some times a second what time it is."""

    def __init__(self, model, lines_per_s: int = 0, is_stamping: bool = False) -> None:
        super().__init__(model)
        self.rate = lines_per_s
        self.is_stamping = is_stamping
        self.helper = None
        self.stamp_at = 0.0
        self.epoch = 0

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        if self.rate and epoch != self.epoch:
            self.epoch = epoch
            self._tell_helper(b"1" if epoch % 2 or self.is_stamping else b"0")
        if self.is_stamping and time.monotonic() > self.stamp_at:
            self.stamp_at = time.monotonic() + 1 / STAMPS_PER_S
            print(f"stamp {time.monotonic():.6f}")
        super().__train_func__(data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num)

    def _tell_helper(self, word: bytes) -> None:
        if self.helper is None:
            command = [sys.executable, "-S", "-c", HELPER, str(self.rate)]
            self.helper = subprocess.Popen(command, stdin=subprocess.PIPE)
        self.helper.stdin.write(word)
        self.helper.stdin.flush()
