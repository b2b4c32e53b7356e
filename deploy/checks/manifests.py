"""Holds rendered manifests against the schemas of Kubernetes and of the custom resources, strictly:
a field that no schema knows is a mistake.

    manifests.py VERSION[,VERSION…] DEFINITION[,DEFINITION…] FILE…
"""

import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml


def strict(schema: object) -> object:
    """A custom resource's schema that refuses what it does not name."""
    if not isinstance(schema, dict):
        return schema
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    for below in [*schema.get("properties", {}).values(), schema.get("additionalProperties"), schema.get("items")]:
        strict(below)
    return schema


def custom_schemas(files: list[str]) -> dict:
    """(apiVersion, kind) to schema, from definitions of custom resources."""
    found = {}
    for file in files:
        for definition in filter(None, yaml.load_all(pathlib.Path(file).read_text(), yaml.CSafeLoader)):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # Metadata is Kubernetes' own; a definition leaves it open.
                schema["properties"]["metadata"] = {"type": "object"}
                found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def problem(manifest: dict, version: str, custom: dict) -> str | None:
    schema = custom.get((manifest["apiVersion"], manifest["kind"]))
    try:
        if schema is None:
            kubernetes_validate.validate(manifest, version, strict=True)
        else:
            jsonschema.Draft7Validator(schema).validate(manifest)
    except jsonschema.ValidationError as error:
        place = ".".join(str(it) for it in error.path)
        return f"{place}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return error.message
    return None


def main() -> int:
    versions, definitions, *files = sys.argv[1:]
    custom = custom_schemas(definitions.split(","))
    failed = checked = 0
    for file in files:
        manifests = [it for it in yaml.load_all(pathlib.Path(file).read_text(), yaml.CSafeLoader) if it]
        if not manifests:
            print(f"{file}: holds no manifest")
            failed += 1
        for manifest in manifests:
            name = f"{manifest['kind']}/{manifest['metadata']['name']}"
            for version in versions.split(","):
                checked += 1
                cause = problem(manifest, version, custom)
                if cause:
                    failed += 1
                    print(f"{pathlib.Path(file).name}: {name} on Kubernetes {version}: {cause}")
    print(f"{checked} manifests held against their schemas")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
