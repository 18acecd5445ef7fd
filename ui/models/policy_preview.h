// SPDX-License-Identifier: GPL-3.0-or-later
// The effect of a policy, and what is doubtful in it. It asks the system for users, groups and
// files, which may wait: worker threads only.
#pragma once

#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

#include "security/policy_check.h"
#include "security/subject_query.h"
#include "security/what_if.h"

namespace snakepit::shm::ui {

// The subject of a preview: one of the report's clients, or one that is described.
struct PreviewSubject {
    std::optional<std::size_t> client;
    SubjectQuery somebody;
};

struct PolicyPreview {
    std::vector<PolicyFinding> findings;
    std::vector<PolicyChange> changes;    // for those who are connected
    std::optional<WhatIf> before, after;  // for who is asked about
    QString problem;                      // why there is no answer for them
};
PolicyPreview preview_policy(const PolicyReport& report, const Policy& proposed,
                             const std::optional<PreviewSubject>& who);

// Names a person may pick from; at most a few hundred of each.
struct KnownNames {
    QStringList users, groups;
};
KnownNames known_names();

// How the region's owner and group are called, and who may read, write and manage it.
struct PolicyText {
    QString owner, group;
    QStringList read, write, manage;
};
PolicyText policy_text(const PolicyReport& report);

}  // namespace snakepit::shm::ui
