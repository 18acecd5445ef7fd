// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <memory>
#include <string>
#include <vector>

#include <QJsonObject>

#include "base/handle.h"
#include "base/result.h"
#include "diagnostics/archive.h"
#include "diagnostics/manifest.h"
#include "layout/registry_reader.h"

namespace snakepit::shm {

// A bundle, unpacked into memory and into a file without a name, which disappears however the
// program ends. The file is not trusted: sizes are bounded, names stay inside. Move-only; outlives
// the readers of its paths; one thread.
class BundleReader {
  public:
    // corruption_detected if the file is not a bundle, version_mismatch for a bundle of a later
    // release, no_space if its contents do not fit.
    static Result<BundleReader> open(const std::string& path);
    BundleReader(BundleReader&& other) noexcept = default;
    BundleReader& operator=(BundleReader&&) = delete;

    const Manifest& manifest() const { return manifest_; }
    const std::string& file() const { return file_; }
    // Paths for RegistryReader, EventReader and MetricsReader; empty: not in the bundle.
    const std::string& registry() const { return registry_; }
    const std::string& events() const { return events_; }
    const std::string& metrics() const { return metrics_; }
    // The regions when it was written; not_supported if it has no registry.
    Result<std::vector<RegionRow>> regions() const;
    // The document of a part such as "status.json"; empty if the bundle has none, or it is not an
    // object.
    Result<QJsonObject> document(const std::string& name);
    // The text of a part. not_supported if the bundle has none, with the reason if the manifest has
    // one.
    Result<std::string> text(std::string_view name);

  private:
    BundleReader(std::string file, ArchiveReader archive)
        : file_(std::move(file)), archive_(std::move(archive)) {}
    Status unpack();
    Status unpack_registry();
    Result<std::string> unpack_database(std::string_view name);
    std::string why_without(std::string_view name) const;

    std::string file_;
    ArchiveReader archive_;
    Manifest manifest_;
    Handle unpacked_;  // the registry
    // Each keeps a database in memory, which other connections reach by its path.
    std::vector<std::unique_ptr<SQLite::Database>> databases_;
    std::string registry_, events_, metrics_;
};

}  // namespace snakepit::shm
