// SPDX-License-Identifier: MIT
#include "diagnostics/bundle.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include <QJsonArray>
#include <QJsonDocument>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/time.h"
#include "client/manager_client.h"
#include "diagnostics/alert_parts.h"
#include "diagnostics/archive.h"
#include "diagnostics/database_copy.h"
#include "diagnostics/health.h"
#include "diagnostics/manifest.h"
#include "diagnostics/redaction.h"
#include "diagnostics/registry_copy.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kMostMetrics = 512ULL << 20;  // bytes
constexpr std::uint64_t kMostConfiguration = 4ULL << 20;
constexpr std::size_t kMostPolicies = 1000;

std::string text_of(const QJsonObject& document) {
    return QJsonDocument(document).toJson(QJsonDocument::Indented).toStdString();
}

QJsonObject object_of(const std::string& json) {
    return QJsonDocument::fromJson(QByteArray::fromStdString(json)).object();
}

// A part that is not available is left out, and the manifest names it; only the bundle's own file
// can fail.
class Bundler {
  public:
    Bundler(const BundleRequest& request, ArchiveWriter& archive)
        : request_(request), archive_(archive) {}

    Status run(BundleSummary& summary);

  private:
    Status add(std::string name, std::string what, std::string_view bytes);
    Status add(std::string name, std::string what, Result<std::string> bytes);
    Status add(std::string name, std::string what, const Result<QJsonObject>& document);
    Status add_registry();
    Status add_events();
    Status add_reports();
    Status add_alerts(std::vector<AlertPart> parts);
    Status add_configuration();
    Result<QJsonObject> report(ManagerClient& manager, const char* topic) const;
    Result<QJsonObject> policies(ManagerClient& manager) const;
    void leave_out(std::string name, const Error& error) {
        summary_.left_out.push_back({std::move(name), error.message});
    }

    const BundleRequest& request_;
    ArchiveWriter& archive_;
    BundleSummary summary_;
};

Status Bundler::add(std::string name, std::string what, std::string_view bytes) {
    SHM_TRY(archive_.add(name, bytes));
    summary_.parts.push_back({std::move(name), std::move(what), bytes.size()});
    return {};
}

Status Bundler::add(std::string name, std::string what, Result<std::string> bytes) {
    if (bytes) return add(std::move(name), std::move(what), std::string_view(*bytes));
    leave_out(std::move(name), bytes.error());
    return {};
}

Status Bundler::add(std::string name, std::string what, const Result<QJsonObject>& document) {
    if (document)
        return add(std::move(name), std::move(what),
                   std::string_view(text_of(redacted(*document, !request_.metadata))));
    leave_out(std::move(name), document.error());
    return {};
}

Status Bundler::add_registry() {
    const auto file = RegistryFile::open(request_.paths.registry());
    if (!file) {
        leave_out("registry", file.error());
        return {};
    }
    BundlePart part{std::string(bundle_part::registry), "", 0};
    const auto copied = copy_registry(
        *file, request_.metadata, [&](std::uint64_t offset, const std::string& bytes) {
            part.bytes += bytes.size();
            return archive_.add(fmt::format("{}{:012x}", bundle_part::registry, offset), bytes);
        });
    if (!copied) return fail(copied.error());
    part.what =
        fmt::format("the registry with {}, in pieces", pluralize(copied->regions, "region"));
    summary_.parts.push_back(std::move(part));
    if (!request_.metadata && copied->with_metadata > 0)
        summary_.redacted.push_back(fmt::format("metadata of {} (--with-metadata keeps it)",
                                                pluralize(copied->with_metadata, "region")));
    leave_out("ring of events", make_error({}, "events.db contains its events"));
    return {};
}

Status Bundler::add_events() {
    const auto copied = copy_events(request_.paths.events_db(), request_.events);
    if (!copied) {
        leave_out(std::string(bundle_part::events), copied.error());
        return {};
    }
    return add(std::string(bundle_part::events), fmt::format("the newest {} events", copied->rows),
               std::string_view(copied->bytes));
}

Result<QJsonObject> Bundler::report(ManagerClient& manager, const char* topic) const {
    SHM_ASSIGN(const auto json, manager.report(topic));
    return object_of(json);
}

// Policies of regions that have their own; the default is in the configuration.
Result<QJsonObject> Bundler::policies(ManagerClient& manager) const {
    SHM_ASSIGN(const auto regions, manager.list());
    QJsonObject out;
    for (const auto& region : regions) {
        if (!region.has_policy || static_cast<std::size_t>(out.size()) >= kMostPolicies) continue;
        const auto policy = manager.policy(region.id);
        if (!policy) continue;  // the region ended meanwhile, or is another user's
        out.insert(QString::fromStdString(region.id.str()), object_of(*policy));
    }
    return out;
}

Status Bundler::add_reports() {
    ConnectOptions options;
    options.instance = request_.paths.instance;
    options.lease = false;
    const auto manager = ManagerClient::connect(options);
    if (!manager) {
        leave_out(std::string(bundle_part::said), manager.error());
        return add_alerts(alerts_left(request_.paths.state_db()));
    }
    for (const auto* topic : bundle_part::reports)
        SHM_TRY(add(fmt::format("{}.json", topic), fmt::format("the manager's {} report", topic),
                    report(**manager, topic)));
    SHM_TRY(add_alerts(alerts_of(**manager)));
    return add("policies.json", "policies of regions that have their own", policies(**manager));
}

Status Bundler::add_alerts(std::vector<AlertPart> parts) {
    for (auto& part : parts)
        SHM_TRY(add(std::move(part.name), std::move(part.what),
                    part.json.map([](const std::string& json) { return object_of(json); })));
    return {};
}

Status Bundler::add_configuration() {
    const auto& path = request_.paths.config_file;
    if (path.empty()) {
        leave_out(std::string(bundle_part::configuration),
                  make_error({}, "there is no file: the built-in defaults apply"));
        return {};
    }
    std::error_code unknown;
    const auto size = std::filesystem::file_size(path, unknown);
    if (unknown || size > kMostConfiguration) {
        leave_out(std::string(bundle_part::configuration), make_error({}, "it cannot be read"));
        return {};
    }
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return add(std::string(bundle_part::configuration), "the configuration without its comments",
               redacted_toml(text.str()));
}

Status Bundler::run(BundleSummary& summary) {
    const auto& paths = request_.paths;
    SHM_TRY(add_registry());
    SHM_TRY(add_events());
    const auto metrics = paths.state_dir + "/" + std::string(bundle_part::metrics);
    if (std::filesystem::exists(metrics))
        SHM_TRY(add(std::string(bundle_part::metrics), "recorded metrics",
                    copy_database(metrics, kMostMetrics).map([](DatabaseCopied&& copied) {
                        return std::move(copied.bytes);
                    })));
    SHM_TRY(add("health.json", "every check, as 'health --json' prints it",
                Result<QJsonObject>(check_health(paths).json())));
    SHM_TRY(add_reports());
    SHM_TRY(add_configuration());
    for (const auto& extra : request_.extras) SHM_TRY(add(extra.name, extra.what, extra.make()));
    summary_.redacted.emplace_back(
        "passwords, tokens and keys in the configuration and in reports, URLs behind their host, "
        "and arguments of commands");
    SHM_TRY(archive_.add(std::string(bundle_part::manifest),
                         text_of(manifest_of(paths, summary_, now()))));
    summary = std::move(summary_);
    return {};
}

}  // namespace

Result<BundleSummary> write_bundle(const BundleRequest& request) {
    SHM_ASSIGN(auto archive, ArchiveWriter::begin(request.file, request.force));
    BundleSummary summary;
    SHM_TRY(Bundler(request, archive).run(summary));
    SHM_TRY(archive.commit());
    summary.file = request.file;
    summary.bytes = archive.bytes();
    return summary;
}

}  // namespace snakepit::shm
