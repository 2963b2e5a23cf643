"""`graylane crds`: the CustomResourceDefinitions of LaneGroup, Rollout and Lane."""

from meshconfig.crds import definitions
from meshconfig.printable import put
from meshconfig.render import to_yaml


def command() -> None:
    """Print the CustomResourceDefinitions of LaneGroup, Rollout and Lane, as YAML.

    With them a cluster takes specs as objects, refuses wrong ones, and shows how far a controller is.

    Examples:

        graylane crds | kubectl apply --server-side -f -

        kubectl get lanegroups,rollouts,lanes -A
    """
    put(to_yaml(definitions()))
