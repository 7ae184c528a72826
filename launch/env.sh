# shellcheck shell=bash
# The environment of a run, each line with its reason. Sourced: `. launch/env.sh tpu|gpu|cpu`.
#
# Variables that are set keep their values; of a flag that is given twice XLA uses the last one, the user's.
# DETERMINISTIC=1 selects deterministic GPU kernels: a resumed run is then bit-identical to an uninterrupted one.

# Lines reach the log when they are written; those before a kill are not lost.
export PYTHONUNBUFFERED=1

case ${1:-} in
    tpu)
        # A restart finds its programs compiled: minutes on a pod, at every preemption. A gs:// folder serves all hosts.
        export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$HOME/.cache/negjax/xla}"
        # No LIBTPU_INIT_ARGS: those that are often set (asynchronous all-gather and collective fusion, latency-hiding
        # scheduler) are the default now; with libtpu 0.0.52 the compiled program is the same without them.
        ;;
    gpu)
        # A restart finds its programs compiled.
        export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$HOME/.cache/negjax/xla}"
        # JAX takes three quarters of the memory by itself; a tenth is left for the driver, cuDNN and NCCL.
        export XLA_PYTHON_CLIENT_MEM_FRACTION="${XLA_PYTHON_CLIENT_MEM_FRACTION:-0.9}"
        # Collectives start early and overlap with computation, as in NVIDIA's own images.
        gpu_flags="--xla_gpu_enable_latency_hiding_scheduler=true"
        # No atomics, and no kernels chosen by measured time; slower.
        [[ ${DETERMINISTIC:-} != 1 ]] || gpu_flags+=" --xla_gpu_deterministic_ops=true"
        export XLA_FLAGS="$gpu_flags${XLA_FLAGS:+ $XLA_FLAGS}"
        unset gpu_flags
        ;;
    cpu)
        # Accelerators of the machine are not used.
        export JAX_PLATFORMS="${JAX_PLATFORMS:-cpu}"
        ;;
    *)
        printf 'env.sh: error: no platform: . launch/env.sh tpu, gpu or cpu\n' >&2
        exit 2
        ;;
esac
