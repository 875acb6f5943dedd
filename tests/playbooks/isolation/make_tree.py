"""Makes a tree in the current folder: of folders in each other, of such that nobody may read, or of many beside each other."""

import os
import sys

KIND, NUMBER = sys.argv[1], int(sys.argv[2])
FOLDER = os.O_RDONLY | os.O_DIRECTORY

if KIND == "wide":
    for number in range(NUMBER):
        os.mkdir(f"w{number}")
else:
    here = os.open(".", FOLDER)
    for _level in range(NUMBER):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", FOLDER, dir_fd=here)
        if KIND == "closed":
            os.fchmod(here, 0o000)
        os.close(here)
        here = inner
