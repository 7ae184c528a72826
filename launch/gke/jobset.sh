#!/usr/bin/env bash
# Runs a command on TPUs or GPUs of any GKE cluster with JobSet, by a plain manifest; XPK is not needed.
#
#     NAME=pretrain IMAGE=REGISTRY/negjax:tpu ACCELERATOR=tpu-v6e-slice TOPOLOGY=4x4 \
#         launch/gke/jobset.sh tpu -- negjax train --config configs/scenes_pretrain.py \
#         --workdir gs://my-bucket/runs/pretrain --config.data_dir=gs://my-bucket/data
#     NAME=pretrain IMAGE=REGISTRY/negjax:gpu ACCELERATOR=nvidia-h100-80gb NODES=2 \
#         launch/gke/jobset.sh gpu -- negjax train --config configs/scenes_pretrain.py \
#         --workdir gs://my-bucket/runs/pretrain --config.data_dir=gs://my-bucket/data
#
# Data sets and weights must be in a bucket, too. `negjax quickstart --workdir runs/quickstart` draws these sets, and
# `gcloud storage cp --recursive runs/quickstart/data gs://my-bucket` puts them there; your own come from `negjax data
# build`. Where a config starts from weights, add --config.model.init_from=gs://my-bucket/weights/clip_b32 or the like.
#
# One pod per host. IMAGE is one of launch/docker. The manifest makes the service account that the pods run as, which
# may read pods and jobs, from which JAX detects the processes. A pod that dies, that lost another one (status 75), or that
# saved and ended with 143 when its host was preempted, restarts the set, and the same command resumes; an error of the
# user (status 2) ends it.
#
# NAMESPACE      default: default
# TOPOLOGY       tpu: of a slice, as in 4x4; SLICES of them (default: 1), CHIPS of a host (default: 4)
# NODES          gpu: hosts; CHIPS of a host (default: 8)
# MAX_RESTARTS   default: 50
# GRACE          seconds for saving after a SIGTERM; default: 120
# --dry-run      print the manifest, apply nothing
set -euo pipefail
# shellcheck source=launch/command.sh
source "$(dirname "${BASH_SOURCE[0]}")/../command.sh"

read_arguments "" "$@"
take_platform
want_command yes
need_variable NAME "the name of the job set"
need_variable IMAGE "the image, made by launch/docker/build.sh"
need_variable ACCELERATOR "the node label of the accelerator, as in tpu-v6e-slice or nvidia-h100-80gb"
NAMESPACE=${NAMESPACE:-default} MAX_RESTARTS=${MAX_RESTARTS:-50} GRACE=${GRACE:-120} SLICES=${SLICES:-1}
check_match NAME '[a-z]([-a-z0-9]{0,38}[a-z0-9])?' "at most 40 lower-case letters, digits and -, first a letter"
check_match NAMESPACE '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?' "lower-case letters, digits and - only"
check_match IMAGE '[-A-Za-z0-9_./:@]+' "not the name of an image"
check_match ACCELERATOR '[-a-z0-9.]+' "lower-case letters, digits, - and . only"
check_number MAX_RESTARTS "a whole number"
check_number GRACE "seconds, a whole number"
check_match SLICES '[1-9][0-9]*' "a whole number from 1"

if [[ $platform == tpu ]]; then
    need_variable TOPOLOGY "the topology of a slice, as in 4x4"
    check_match TOPOLOGY '[1-9][0-9]*(x[1-9][0-9]*){1,2}' "as in 4x4 or 2x2x4"
    CHIPS=${CHIPS:-4}
    check_match CHIPS '[1-9][0-9]*' "chips of a host"
    chips=$((${TOPOLOGY//x/*}))
    ((chips >= CHIPS)) || CHIPS=$chips
    ((chips % CHIPS == 0)) || fail "TOPOLOGY=$TOPOLOGY: $chips chips are not a multiple of the CHIPS=$CHIPS of a host"
    hosts=$((chips / CHIPS))
    resource=google.com/tpu
    selector="cloud.google.com/gke-tpu-accelerator: \"$ACCELERATOR\"
                cloud.google.com/gke-tpu-topology: \"$TOPOLOGY\""
else
    need_variable NODES "the number of hosts"
    check_match NODES '[1-9][0-9]*' "a whole number from 1"
    ((SLICES == 1)) || fail "SLICES=$SLICES: only TPUs come in slices, set NODES"
    CHIPS=${CHIPS:-8}
    check_match CHIPS '[1-9][0-9]*' "GPUs of a host"
    hosts=$NODES
    resource=nvidia.com/gpu
    selector="cloud.google.com/gke-accelerator: \"$ACCELERATOR\""
fi
need_program kubectl "it applies the manifest"
arguments=$(json_list "${command[@]}")
arguments=${arguments//\$(/\$\$(} # Kubernetes would substitute a variable for $(NAME)

manifest=$(
    cat <<YAML
apiVersion: v1
kind: ServiceAccount
metadata:
  name: "$NAME"
  namespace: "$NAMESPACE"
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: "$NAME"
  namespace: "$NAMESPACE"
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list]
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: "$NAME"
  namespace: "$NAMESPACE"
subjects:
  - kind: ServiceAccount
    name: "$NAME"
    namespace: "$NAMESPACE"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: "$NAME"
---
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: "$NAME"
  namespace: "$NAMESPACE"
  annotations:
    alpha.jobset.sigs.k8s.io/exclusive-topology: cloud.google.com/gke-nodepool # each slice is a node pool
spec:
  failurePolicy:
    maxRestarts: $MAX_RESTARTS
    rules:
      - action: FailJobSet # an error of the user, which a restart would repeat
        onJobFailureReasons: [PodFailurePolicy]
  replicatedJobs:
    - name: w
      replicas: $SLICES
      template:
        spec:
          completionMode: Indexed # gives each pod its index
          completions: $hosts
          parallelism: $hosts
          backoffLimit: 0 # one failed pod fails all: they restart together
          podFailurePolicy:
            rules:
              - action: FailJob
                onExitCodes:
                  containerName: negjax
                  operator: In
                  values: [2]
          template:
            spec:
              serviceAccountName: "$NAME"
              restartPolicy: Never
              terminationGracePeriodSeconds: $GRACE
              nodeSelector:
                $selector
              tolerations:
                - key: $resource
                  operator: Exists
                  effect: NoSchedule
              containers:
                - name: negjax
                  image: "$IMAGE"
                  args: $arguments
                  resources:
                    limits:
                      $resource: $CHIPS
                  volumeMounts:
                    - name: shm
                      mountPath: /dev/shm
              volumes:
                - name: shm # 64 MB by default, too little for NCCL and the workers that read data
                  emptyDir:
                    medium: Memory
YAML
)
if [[ $platform == gpu ]]; then # nodes of one pool, each a host
    manifest=$(grep -v -e '^  annotations:' -e exclusive-topology <<<"$manifest")
fi
if [[ -n ${given[dry-run]:-} ]]; then
    printf '%s\n' "$manifest"
else
    kubectl apply -f - <<<"$manifest"
fi
