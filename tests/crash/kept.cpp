// SPDX-License-Identifier: MIT
#include "kept.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <filesystem>

#include "platform/backend.h"

namespace snakepit::shm::test {

QSet<QString> anonymous_segments(qint64 pid) {
    QSet<QString> out;
    std::error_code gone;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
        // "/memfd:snakepit_… (deleted)"
        const auto target =
            QString::fromStdString(std::filesystem::read_symlink(entry.path(), gone).string());
        const auto name = target.section('/', -1).section(' ', 0, 0);
        if (name.startsWith("memfd:snakepit_")) out.insert(name);
    }
    return out;
}

QSet<QString> kept_segments(const std::string& keeper_socket) {
    QSet<QString> out;
    const auto kept = keeper_process(keeper_socket)->take_all();
    if (!kept) return {"nobody: " + QString::fromStdString(kept.error().message)};
    for (const auto& [name, handle] : *kept)
        out.insert(QString::fromStdString(std::string(kAnonymousPrefix) + name));
    return out;
}

KeeperState keeper_of(ManagerClient& client) {
    const auto status = client.report("status");
    if (!status) return {};
    const auto keeper = QJsonDocument::fromJson(QByteArray::fromStdString(*status))
                            .object()
                            .value("keeper")
                            .toObject();
    return {keeper.value("name").toString().section(' ', 1).toInt(),
            keeper.value("segments").toInt(), keeper.value("kept").toInt()};
}

}  // namespace snakepit::shm::test
