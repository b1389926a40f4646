"""Writes an identity into the state as somebody does who may write to its folder: the digest has no key.

Usage: forged_state.py FILE NODE IDENTITY
"""

import hashlib
import json
import sys

FILE, NODE, IDENTITY = sys.argv[1:]
with open(FILE, encoding="utf-8") as file:
    state = json.load(file)
state["identities"][NODE] = IDENTITY
state["digest"] = ""
compact = json.dumps(state, separators=(",", ":"), ensure_ascii=False)
state["digest"] = hashlib.sha256(compact.encode()).hexdigest()
with open(FILE, "w", encoding="utf-8") as file:
    json.dump(state, file, ensure_ascii=False, indent=2)
