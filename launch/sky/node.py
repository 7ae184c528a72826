"""On each node of a SkyPilot task: becomes the command of $COMMAND, a JSON list of words.

    COMMAND='["negjax", "doctor"]' python3 launch/sky/node.py [--join]

--join adds the flags by which several nodes find each other; the hosts of a TPU do so without.
"""

import json
import os
import sys

PORT = 55527


def words(environment: dict[str, str], *, join: bool) -> list[str]:
    """The command of this node, in SkyPilot's environment."""
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
