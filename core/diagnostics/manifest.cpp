// SPDX-License-Identifier: MIT
#include "diagnostics/manifest.h"

#include <QJsonArray>
#include <QJsonDocument>

#include <fmt/format.h>

#include "base/version.h"
#include "diagnostics/host_facts.h"
#include "json/json_values.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

namespace {

constexpr std::string_view kWhat = "snakepit-shm diagnostic bundle";

QJsonObject mount(const std::string& path) {
    QJsonObject out{{"path", text(path)}};
    if (const auto at = mount_of(path)) {
        out.insert("mount", text(at->point));
        out.insert("type", text(at->type));
        out.insert("options", text(at->options));
    }
    if (const auto space = space_facts(path)) {
        out.insert("bytes", number(space->total));
        out.insert("free_bytes", number(space->free));
        if (space->files_total > 0) {
            out.insert("files", number(space->files_total));
            out.insert("free_files", number(space->files_free));
        }
    }
    return out;
}

QJsonObject host(const InstancePaths& paths) {
    const auto facts = host_facts();
    const auto limits = process_limits();
    QJsonObject said_limits{{"descriptors", number(limits.descriptors)},
                            {"locked_memory", number(limits.locked_memory)}};
    if (limits.mappings) said_limits.insert("mappings", number(*limits.mappings));
    return {{"name", text(facts.name)},
            {"kernel", text(facts.kernel)},
            {"architecture", text(facts.architecture)},
            {"distribution", text(facts.distribution)},
            {"processors", static_cast<int>(facts.processors)},
            {"memory_bytes", number(facts.memory_total)},
            {"memory_available_bytes", number(facts.memory_available)},
            {"up_seconds", static_cast<qint64>(facts.up_seconds)},
            {"uid", static_cast<qint64>(facts.user)},
            {"limits", said_limits},
            {"mounts",
             QJsonArray{mount("/dev/shm"), mount(paths.runtime_dir), mount(paths.state_dir)}}};
}

}  // namespace

QJsonObject manifest_of(const InstancePaths& paths, const BundleSummary& summary, Timestamp at) {
    QJsonArray parts, left_out, redacted;
    for (const auto& part : summary.parts)
        parts.append(QJsonObject{
            {"name", text(part.name)}, {"what", text(part.what)}, {"bytes", number(part.bytes)}});
    for (const auto& gap : summary.left_out)
        left_out.append(QJsonObject{{"name", text(gap.name)}, {"why", text(gap.why)}});
    for (const auto& what : summary.redacted) redacted.append(text(what));
    return {{"what", text(kWhat)},
            {"format", kBundleFormat},
            {"version", text(kVersionText)},
            {"registry_layout", static_cast<int>(layout::kVersion)},
            {"created_at", text(to_rfc3339(at))},
            {"instance", text(paths.instance)},
            {"runtime_dir", text(paths.runtime_dir)},
            {"state_dir", text(paths.state_dir)},
            {"config_file", text(paths.config_file)},
            {"host", host(paths)},
            {"parts", parts},
            {"left_out", left_out},
            {"redacted", redacted},
            {"never",
             "contents of regions, keys, lease pages, grants, tokens, environments and "
             "command lines of other processes"}};
}

Result<Manifest> read_manifest(const std::string& said) {
    const auto document = QJsonDocument::fromJson(QByteArray::fromStdString(said)).object();
    const auto created = from_rfc3339(document.value("created_at").toString().toStdString());
    const auto instance = document.value("instance").toString().toStdString();
    if (document.value("what").toString() != text(kWhat) || !created || instance.empty())
        return fail(ErrorCode::corruption_detected, "its manifest is not that of a bundle",
                    "create one with: snakepit-shm diagnose -o FILE");
    const auto format = document.value("format").toInt();
    if (format < 1 || format > kBundleFormat)
        return fail(ErrorCode::version_mismatch,
                    fmt::format("it has format {}, this program reads {}", format, kBundleFormat),
                    "open it with the release that made it");
    Manifest out;
    out.version = document.value("version").toString().toStdString();
    out.instance = instance;
    out.host = document.value("host").toObject().value("name").toString().toStdString();
    out.created_at = *created;
    out.document = document;
    return out;
}

}  // namespace snakepit::shm
