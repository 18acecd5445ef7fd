// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/user_names.h"

#include <mutex>
#include <unordered_map>

#include "security/name_resolver.h"

namespace snakepit::shm::ui {

namespace {

struct Known {
    std::mutex mutex;
    std::unordered_map<std::uint32_t, QString> names;
    bool numbers_only = false;
};

Known& known() {
    static Known known;
    return known;
}

}  // namespace

void learn_user(std::uint32_t uid) {
    {
        const std::lock_guard lock(known().mutex);
        if (known().numbers_only || known().names.contains(uid)) return;
    }
    auto name = QString::fromStdString(user_name(uid));
    const std::lock_guard lock(known().mutex);
    known().names.emplace(uid, std::move(name));
}

void learn_no_users() {
    const std::lock_guard lock(known().mutex);
    known().numbers_only = true;
}

QString user_text(std::uint32_t uid) {
    const std::lock_guard lock(known().mutex);
    const auto found = known().names.find(uid);
    return found == known().names.end() ? QString::number(uid) : found->second;
}

}  // namespace snakepit::shm::ui
