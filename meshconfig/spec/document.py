"""What the documents of a group share: their version and name, and what only an object of a cluster has beside them."""

from typing import Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, ValidationInfo, field_validator, model_validator

from meshconfig.spec.base import API_VERSION, EARLIER, DnsLabel, Labels, Strict


class ObjectMeta(Strict):
    """The name and the namespace of a document, as in Kubernetes.

    The other fields may be there where `apiVersion` is `graylane.dev/v1`: labels of Git's tools, and what a cluster
    adds to its objects. They are read and not kept.

    Source: Kubernetes, apimachinery meta/v1 ObjectMeta.
    """

    name: DnsLabel
    namespace: DnsLabel = "default"
    labels: Labels = {}
    annotations: dict[str, str] = {}
    creation_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    deletion_timestamp: Any = None
    finalizers: Any = None
    generate_name: Any = None
    generation: Any = None
    managed_fields: Any = None
    owner_references: Any = None
    resource_version: Any = None
    self_link: Any = None
    uid: Any = None


KEPT = ("name", "namespace")


class Named(Strict):
    """A document of graylane with a name and a namespace.

    A model has `graylane/v1`, whichever of the two a file has. So the same spec is equal, and what is stored in a
    cluster can also be read by a graylane from before `graylane.dev/v1`.
    """

    api_version: Literal["graylane.dev/v1", "graylane/v1"]
    kind: str
    metadata: ObjectMeta

    @field_validator("metadata")
    @classmethod
    def _kept(cls, given: ObjectMeta, info: ValidationInfo) -> ObjectMeta:
        if more := given.model_fields_set.difference(KEPT):
            alias = sorted(str(ObjectMeta.model_fields[name].alias) for name in more)[0]
            _check_api(info, f"{alias} is read")
        return ObjectMeta.model_construct(
            given.model_fields_set.intersection(KEPT), name=given.name, namespace=given.namespace
        )

    @model_validator(mode="wrap")
    @classmethod
    def _one_version(cls, value: Any, handler: ModelWrapValidatorHandler["Named"]) -> "Named":
        return handler(value).model_copy(update={"api_version": EARLIER})


class ClusterObject(Named):
    """A document that is also a kind of the cluster's API; what a controller writes into its `status` is not kept."""

    status: Any = Field(default=None, exclude=True)

    @field_validator("status")
    @classmethod
    def _not_kept(cls, given: Any, info: ValidationInfo) -> None:
        _check_api(info, "status is read")


def _check_api(info: ValidationInfo, read: str) -> None:
    if info.data.get("api_version") == EARLIER:
        raise ValueError(f"{read} where apiVersion is {API_VERSION}: write that, or leave it away")
