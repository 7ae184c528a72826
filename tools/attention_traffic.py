"""What attention moves between a TPU's memory and its cores, forward and backward: XLA's products against the kernel.

    pip install libtpu
    python tools/attention_traffic.py                        (about ten seconds of compiling for each row)

The programs are those of the TPU's compiler, for one chip and bfloat16; nothing runs on a TPU.
`negjax.models.fused_attention.suits` takes its smallest length from here.
"""

import argparse
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

from negjax.commands.compile import COMPILER
from negjax.models.attention import attend
from negjax.models.fused_attention import pallas_attention
from negjax.runtime.memory_traffic import memory_traffic

ROWS = 64
TOWERS = {  # whose image tower -> tokens, heads, width of a head
    "B/32": (50, 12, 64),
    "B/16": (197, 12, 64),
    "L/14": (257, 16, 64),
    "L/14 at 336": (577, 16, 64),
    "B/16 at 512": (1024, 12, 64),
}


def bytes_moved(attention: Callable, tokens: int, heads: int, width: int, device: jax.Device) -> int:
    """Bytes that the values and gradients of ROWS rows read and write."""

    def run(q: jax.Array, k: jax.Array, v: jax.Array, gradient: jax.Array) -> tuple:
        mixed, pull_back = jax.vjp(attention, q, k, v)
        return mixed, pull_back(gradient)

    shape = jax.ShapeDtypeStruct((ROWS, tokens, heads, width), jnp.bfloat16, sharding=SingleDeviceSharding(device))
    return memory_traffic(jax.jit(run).lower(*[shape] * 4).compile().as_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topology", default="v5e:2x2", help="chips; default: v5e:2x2")
    parser.add_argument("--towers", default=",".join(TOWERS), help="default: all")
    args = parser.parse_args()
    os.environ.update(COMPILER)
    device = topologies.get_topology_desc(platform="tpu", topology_name=args.topology).devices[0]
    print(f"| image tower | tokens | heads | XLA, MB | kernel, MB | kernel / XLA |\n|{' ---: |' * 6}")
    for tower in args.towers.split(","):
        xla, kernel = (bytes_moved(attention, *TOWERS[tower], device) for attention in (attend, pallas_attention))
        tokens, heads, _ = TOWERS[tower]
        print(f"| {tower} | {tokens} | {heads} | {xla / 1e6:,.0f} | {kernel / 1e6:,.0f} | {kernel / xla:.2f} |")


if __name__ == "__main__":
    main()
