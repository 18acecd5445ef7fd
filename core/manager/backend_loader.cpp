// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <QCoreApplication>
#include <QDir>
#include <QJsonObject>
#include <QPluginLoader>
#include <cstdlib>

#include <fmt/format.h>

#include "manager/backend_plugin.h"

namespace snakepit::shm {

namespace {

// The directory of whatever this code was linked into: a program, or a library in someone's process.
QString own_directory() {
    Dl_info info{};
    if (::dladdr(reinterpret_cast<void*>(&own_directory), &info) == 0 || !info.dli_fname) return {};
    return QFileInfo(QString::fromLocal8Bit(info.dli_fname)).absolutePath();
}

QStringList directories(const std::string& directory) {
    if (!directory.empty()) return {QString::fromStdString(directory)};
    if (const char* set = std::getenv("SNAKEPIT_SHM_PLUGIN_DIR"); set && *set) return {QString::fromLocal8Bit(set)};
    const auto own = own_directory();
    return {own + "/../lib/snakepit-shm/plugins", own + "/snakepit-shm/plugins", QStringLiteral(SNAKEPIT_SHM_INSTALLED_PLUGINS)};
}

// Looked at before loading: a wrong interface would only say "Unknown error".
std::string objection(const QPluginLoader& loader, const std::string& wanted, std::string& name) {
    const auto data = loader.metaData();
    if (data.isEmpty()) return "is no Qt plugin of a compatible Qt";
    if (data["IID"].toString() != QLatin1String(SNAKEPIT_SHM_BACKEND_IID))
        return fmt::format("offers the interface '{}', not '{}'", data["IID"].toString().toStdString(), SNAKEPIT_SHM_BACKEND_IID);
    name = data["MetaData"].toObject()["name"].toString().toStdString();
    return name == wanted ? "" : fmt::format("is the backend '{}'", name);
}

}  // namespace

Result<LoadedBackend> load_backend(const std::string& wanted, const std::string& directory, const BackendOptions& options) {
    LoadedBackend loaded;
    std::string report;
    for (const auto& path : directories(directory)) {
        for (const auto& entry : QDir(path).entryInfoList({QStringLiteral("*.so"), QStringLiteral("*.dylib"), QStringLiteral("*.dll")}, QDir::Files, QDir::Name)) {
            BackendCandidate candidate{entry.absoluteFilePath().toStdString(), {}, {}};
            QPluginLoader loader(entry.absoluteFilePath());
            candidate.error = objection(loader, wanted, candidate.name);
            if (candidate.error.empty()) {
                auto* plugin = qobject_cast<BackendPlugin*>(loader.instance());
                if (plugin) {
                    SHM_ASSIGN(loaded.backend, plugin->create(options));
                    loaded.candidates.push_back(std::move(candidate));
                    return loaded;
                }
                candidate.error = loader.errorString().toStdString();
            }
            report += fmt::format("; {} {}", candidate.file, candidate.error);
            loaded.candidates.push_back(std::move(candidate));
        }
    }
    if (report.empty()) report = "; no plugin was found in " + directories(directory).join(QStringLiteral(", ")).toStdString();
    return fail(ErrorCode::plugin_load_failed, fmt::format("no usable platform backend '{}'{}", wanted, report),
                "install the plugin, or name its directory in SNAKEPIT_SHM_PLUGIN_DIR");
}

}  // namespace snakepit::shm
