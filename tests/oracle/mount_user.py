"""An application on a mount: writes one file after the other, and says what became of each.

Usage: mount_user.py FOLDER. It works in the folder. Each line of output is `ok NAME` for a file that was written and
synchronised, or `error NUMBER` (errno).
"""

import os
import sys
import time

folder = sys.argv[1]
os.chdir(folder)
number = 0
while True:
    number += 1
    name = f"w-{number}"
    try:
        file = os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY, 0o644)
        try:
            os.write(file, name.encode())
            os.fsync(file)
        finally:
            os.close(file)
        print("ok", name, flush=True)
    except OSError as error:
        print("error", error.errno, flush=True)
    # Leaves the processor to what is tested.
    time.sleep(0.05)
