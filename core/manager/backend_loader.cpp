// SPDX-License-Identifier: MIT
#include "manager/backend_loader.h"

#include <dlfcn.h>

#include <QDir>
#include <QJsonObject>
#include <QPluginLoader>
#include <cstdlib>

#include <fmt/format.h>

#include "platform/process.h"
#include "plugins/backend_plugin.h"

namespace snakepit::shm {

namespace {

QString directory_of(const char* file) {
    return QFileInfo(QString::fromLocal8Bit(file)).absolutePath();
}

// The directory of the file that holds `symbol`; nothing when it is not known.
QStringList plugins_beside(const void* symbol) {
    const auto file = symbol ? file_of_code(symbol) : std::string();
    if (file.empty()) return {};
    return {directory_of(file.c_str()) + "/snakepit-shm/plugins"};
}

// Relative to the program (in a build tree, and installed), to whatever this code was linked into
// (a library in someone's process), to the client library if this process has it loaded, and last
// where all of it was meant to be installed: an installed tree may have been moved.
QStringList directories(const std::string& directory) {
    if (!directory.empty()) return {QString::fromStdString(directory)};
    if (const char* set = std::getenv("SNAKEPIT_SHM_PLUGIN_DIR"); set && *set)
        return {QString::fromLocal8Bit(set)};
    const auto program = directory_of(own_executable().c_str());
    QStringList out{program + "/../lib/snakepit-shm/plugins",
                    program + "/" SNAKEPIT_SHM_LIBDIR_FROM_BINDIR "/snakepit-shm/plugins"};
    out << plugins_beside(reinterpret_cast<const void*>(&directories))
        << plugins_beside(::dlsym(RTLD_DEFAULT, "snakepit_shm_connect"))
        << QStringLiteral(SNAKEPIT_SHM_INSTALLED_PLUGINS);
    out.removeDuplicates();
    return out;
}

// Checked before loading: for a wrong interface Qt only says "Unknown error".
std::string objection(const QPluginLoader& loader, const std::string& wanted, std::string& name) {
    const auto data = loader.metaData();
    if (data.isEmpty()) return "is damaged, or not a plugin for this version of Qt";
    if (data["IID"].toString() != QLatin1String(SNAKEPIT_SHM_BACKEND_IID))
        return fmt::format("offers the interface '{}', not '{}' of this release",
                           data["IID"].toString().toStdString(), SNAKEPIT_SHM_BACKEND_IID);
    name = data["MetaData"].toObject()["name"].toString().toStdString();
    return name == wanted ? "" : fmt::format("is the backend '{}'", name);
}

}  // namespace

Result<LoadedBackend> load_backend(const std::string& wanted, const std::string& directory,
                                   const BackendOptions& options) {
    LoadedBackend loaded;
    std::string report;
    for (const auto& path : directories(directory)) {
        for (const auto& entry : QDir(path).entryInfoList(
                 {QStringLiteral("*.so"), QStringLiteral("*.dylib"), QStringLiteral("*.dll")},
                 QDir::Files, QDir::Name)) {
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
                candidate.error =
                    fmt::format("cannot be loaded; it may belong to another release: {}",
                                loader.errorString().toStdString());
            }
            report += fmt::format("; {} {}", candidate.file, candidate.error);
            loaded.candidates.push_back(std::move(candidate));
        }
    }
    if (report.empty())
        report = "; no plugin was found in " +
                 directories(directory).join(QStringLiteral(", ")).toStdString();
    return fail(ErrorCode::plugin_load_failed,
                fmt::format("no usable platform backend '{}'{}", wanted, report),
                "install the plugin, or name its directory in SNAKEPIT_SHM_PLUGIN_DIR");
}

}  // namespace snakepit::shm
