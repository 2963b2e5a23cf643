"""Preview lanes: what a Lane object asks for, and what comes of it. No I/O in these modules but `beside`.

    overlay  several Lanes lie over their group as one group, so that one plan changes them together
    aside    which Lanes keep their group's plan from succeeding, so that it is made without them
    check    what keeps a Lane from being made so
    expiry   when it ends
    quota    which Lanes a group has room for
    clone    the Deployment of a version, from that of another one
    images   which images a group lets its Lanes name
    hooks    the Jobs before and after, from the template of a CronJob
    beside   the Lanes of a group, as they are in the cluster

`controller/previews` makes it so.
"""
