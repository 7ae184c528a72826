"""Executes $COMMAND, a JSON list of words, on a node of a SkyPilot task.

    COMMAND='["negjax", "doctor"]' python3 launch/sky/node.py [--join]

--join adds the flags that connect several nodes; the hosts of a TPU need none.
"""

import json
import os
import sys

PORT = 55527


def words(environment: dict[str, str], *, join: bool) -> list[str]:
    """Returns the command of this node, given SkyPilot's environment."""
    command = json.loads(environment["COMMAND"])
    nodes = environment.get("SKYPILOT_NODE_IPS", "").split()
    if join and len(nodes) > 1:
        rank = environment["SKYPILOT_NODE_RANK"]
        command += ["--coordinator", f"{nodes[0]}:{PORT}", "--num-processes", str(len(nodes)), "--process-id", rank]
    return command


if __name__ == "__main__":
    command = words(dict(os.environ), join=sys.argv[1:] == ["--join"])
    sys.stdout.flush()
    os.execvp(command[0], command)
