// SPDX-License-Identifier: MIT
// Containers, pods and units by the path of their control group, as the programs that make the
// groups name them.
#pragma once

#include <string>
#include <string_view>

#include "survey/host_survey.h"

namespace snakepit::shm::survey {

struct GroupName {
    GroupKind kind = GroupKind::other;
    // "container 0123456789ab", "container web-1", "pod 6f1c…", "nginx.service", else the path;
    // "the host" for the root.
    std::string name;
};

// `path`: below the root of the hierarchy, "/system.slice/nginx.service". Of nested groups the
// innermost container counts, then the pod, then the innermost unit. The paths are those of
//   Docker      /docker/<id>, docker-<id>.scope            (docs.docker.com, "Runtime metrics")
//   Podman      libpod-<id>.scope, /libpod_parent/libpod-<id>   (containers/podman, libpod)
//   Kubernetes  kubepods…/pod<uid>/<id>, kubepods-…-pod<uid>.slice/cri-containerd-<id>.scope,
//               crio-<id>.scope                 (kubernetes/kubernetes, pkg/kubelet/cm)
//   containerd  nerdctl-<id>.scope, /default/<id>          (containerd/nerdctl)
//   LXC         lxc.payload.<name>, /lxc/<name>            (lxc.container.conf(5))
//   systemd     machine-<name>.scope, systemd-nspawn@<name>.service, x.service, x.scope, x.slice
//               (systemd-nspawn(1), systemd.unit(5), org.freedesktop.machine1(5))
GroupName name_of_group(std::string_view path);

// What the parts of the path name; each may be empty.
struct GroupParts {
    std::string container, pod, unit;  // "0123456789ab" or its name, "6f1c…", "nginx.service"
};
GroupParts parts_of_group(std::string_view path);

}  // namespace snakepit::shm::survey
