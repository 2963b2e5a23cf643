"""What istiod makes of resources for one sidecar, as its `/debug/config_dump` shows it.

Written after pilot's own translation (route.go, cluster_builder.go), apart from the product's.
"""

URL = "type.googleapis.com/envoy.admin.v3."


def dump(state, pods=()):
    """A sidecar and a gateway in one: it has every route and every cluster.

    Parameters:
        pods: (address, labels) of each.
    """
    hosts = [_virtual_host(one) for one in state.values() if one["kind"] == "VirtualService"]
    rules = [one for one in state.values() if one["kind"] == "DestinationRule"]
    clusters = [cluster for rule in rules for cluster in _clusters(rule)]
    endpoints = [_endpoints(rule, subset, pods) for rule in rules for subset in rule["spec"].get("subsets", ())]
    return {
        "configs": [
            {"@type": f"{URL}ClustersConfigDump", "dynamicActiveClusters": [{"cluster": one} for one in clusters]},
            {"@type": f"{URL}EndpointsConfigDump", "dynamicEndpointConfigs": endpoints},
            {"@type": f"{URL}RoutesConfigDump", "dynamicRouteConfigs": [{"routeConfig": {"virtualHosts": hosts}}]},
        ]
    }


def _metadata(manifest, kind):
    metadata = manifest["metadata"]
    path = f"/apis/networking.istio.io/v1/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}"
    return {"filterMetadata": {"istio": {"config": path}}}


def _virtual_host(manifest):
    routes = []
    for http in manifest["spec"].get("http", ()):
        for match in http.get("match") or [None]:
            route = {**_route(http, match), "metadata": _metadata(manifest, "virtual-service")}
            routes.append(route)
            if route["match"] == {"prefix": "/", "caseSensitive": True} or match is None:
                return {"name": "here", "routes": routes}
    return {"name": "here", "routes": routes}


def _route(http, match):
    route = {"name": http.get("name", ""), "match": _match(match or {}), **_operations(http.get("headers"))}
    if response := http.get("directResponse"):
        answer = {"status": response["status"], "body": {"inlineString": response["body"]["string"]}}
        return {**route, "directResponse": answer}
    action = {
        "timeout": http.get("timeout", "0s"),
        "maxGrpcTimeout": "0s",
        "retryPolicy": _retries(http.get("retries")),
    }
    if rewrite := http.get("rewrite"):
        action["prefixRewrite"] = rewrite["uri"]
    if mirror := http.get("mirror"):
        action["requestMirrorPolicies"] = [{"cluster": _name(mirror)}]
    if fault := http.get("fault"):
        abort = {"abort": {"httpStatus": fault["abort"]["httpStatus"]}}
        route["typedPerFilterConfig"] = {"envoy.filters.http.fault": abort}
    if len(http["route"]) == 1:
        one = http["route"][0]
        own = _operations(one.get("headers"))
        joined = {
            name: route.get(name, []) + own.get(name, []) for name in {*route, *own} if name.endswith(("Add", "Remove"))
        }
        return {**route, **joined, "route": {**action, "cluster": _name(one["destination"])}}
    weighted = [
        {"name": _name(one["destination"]), "weight": one["weight"], **_operations(one.get("headers"))}
        for one in http["route"]
        if one.get("weight")
    ]
    return {**route, "route": {**action, "weightedClusters": {"clusters": weighted}}}


def _retries(retries):
    return {"retryOn": "connect-failure", "numRetries": (retries or {"attempts": 2})["attempts"]}


def _name(destination):
    port = destination.get("port", {}).get("number", 9001)
    host = destination["host"]
    host = host if "." in host else f"{host}.demo.svc.cluster.local"
    return f"outbound|{port}|{destination.get('subset', '')}|{host}"


def _match(match):
    found = {"prefix": "/", "caseSensitive": True}
    for kind, value in match.get("uri", {}).items():
        found.pop("prefix")
        found[{"exact": "path", "prefix": "prefix"}.get(kind, "safeRegex")] = (
            value if kind != "regex" else {"regex": value}
        )
    headers = [{"name": name, **_matcher(one)} for name, one in match.get("headers", {}).items() if name[0] != "@"]
    headers += [
        {"name": name, **_matcher(one), "invertMatch": True} for name, one in match.get("withoutHeaders", {}).items()
    ]
    headers += [{"name": ":method", **_matcher(match["method"])}] if "method" in match else []
    queries = [{"name": name, **_matcher(one)} for name, one in match.get("queryParams", {}).items()]
    if headers:
        found["headers"] = sorted(headers, key=lambda one: one["name"])
    return {**found, "queryParameters": queries} if queries else found


def _matcher(match):
    for kind, value in match.items():
        return {"stringMatch": {"safeRegex": {"regex": value}} if kind == "regex" else {kind: value}}
    return {"presentMatch": True}


def _operations(headers):
    found = {}
    for side, changes in (headers or {}).items():
        added = [(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in changes.get("set", {}).items()]
        added += [(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in changes.get("add", {}).items()]
        options = [{"header": {"key": name, "value": value}, "appendAction": action} for name, value, action in added]
        found |= {f"{side}HeadersToAdd": options} if options else {}
        found |= {f"{side}HeadersToRemove": changes["remove"]} if changes.get("remove") else {}
    return found


def _clusters(rule):
    host, general = rule["spec"]["host"], rule["spec"].get("trafficPolicy", {})
    for subset in ({}, *rule["spec"].get("subsets", ())):
        policy = {**general, **subset.get("trafficPolicy", {})}
        pool = policy.get("connectionPool", {})
        yield {
            "name": f"outbound|9001|{subset.get('name', '')}|{host}",
            "lbPolicy": policy.get("loadBalancer", {}).get("simple", "LEAST_REQUEST"),
            "connectTimeout": pool.get("tcp", {}).get("connectTimeout", "10s"),
            "circuitBreakers": {
                "thresholds": [{"maxConnections": pool.get("tcp", {}).get("maxConnections", 2**32 - 1)}]
            },
            "outlierDetection": {
                {"consecutive5xxErrors": "consecutive5xx"}.get(name, name): value
                for name, value in policy.get("outlierDetection", {}).items()
            },
            "metadata": _metadata(rule, "destination-rule"),
        }


def _endpoints(rule, subset, pods):
    wanted = subset.get("labels", {}).items()
    found = [
        {"endpoint": {"address": {"socketAddress": {"address": address, "portValue": 9001}}}}
        for address, labels in pods
        if wanted <= labels.items()
    ]
    name = f"outbound|9001|{subset['name']}|{rule['spec']['host']}"
    return {"endpointConfig": {"clusterName": name, "endpoints": [{"lbEndpoints": found}]}}
