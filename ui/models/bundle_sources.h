// SPDX-License-Identifier: GPL-3.0-or-later
// A diagnostic bundle as the monitor's world: all of it as it was, and nothing to be changed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "diagnostics/bundle_reader.h"
#include "ui/models/bundle_refusal.h"
#include "ui/models/host.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

// The registry once; it does not change any more. Without one: no region.
class BundleRegions : public RegionSource {
  public:
    explicit BundleRegions(std::string path) : path_(std::move(path)) {}
    Result<SourceTick> poll() override;

  private:
    std::string path_;
    SourceTick seen_;  // without what changed
    bool read_ = false;
};

class BundleEvents : public EventSource {
  public:
    explicit BundleEvents(const std::string& path);
    Result<std::vector<EventRow>> query(const EventQuery& query) override;
    void interrupt() override {
        if (reader_) reader_->interrupt();
    }

  private:
    Result<EventReader> reader_;
};

// Answers what the bundle knows.
class BundleManager : public ManagerPort {
  public:
    BundleManager(const BundleLabel& label, BundleReader& bundle);
    Result<RegionInfo> info(const RegionId& id) override;
    std::int64_t start_time_of(std::int64_t) override { return 0; }
    Result<CleanupResult> cleanup(const CleanupRequest&) override { return refusal_.refuse(); }
    Result<bool> deallocate(const RegionId&, bool) override { return refusal_.refuse(); }
    Result<std::unique_ptr<ByteSource>> bytes_of(const RegionId&) override {
        return refusal_.refuse();
    }
    Result<std::string> restore(const RegionId&) override { return refusal_.refuse(); }
    Result<PolicyReport> policy(const RegionId& id) override;
    Result<PolicyReport> set_policy(const RegionId&, const Policy&) override {
        return refusal_.refuse();
    }
    Result<std::uint32_t> rotate_key(const RegionId&) override { return refusal_.refuse(); }
    Result<ArenaReport> arenas() override { return arenas_; }
    Result<DefragmentResult> defragment() override { return refusal_.refuse(); }

  private:
    BundleRefusal refusal_;
    Result<ArenaReport> arenas_;                   // constant
    std::map<std::string, RegionInfo> regions_;    // by id; constant
    std::map<std::string, std::string> policies_;  // by id, as JSON; constant
};

class BundleAudit : public AuditPort {
  public:
    explicit BundleAudit(const BundleLabel& label) : refusal_(label) {}
    Result<AuditVerdict> verify() override { return refusal_.refuse(); }
    Result<PublicKey> write(const ReportOrder&, ReportProgress&) override {
        return refusal_.refuse();
    }

  private:
    BundleRefusal refusal_;
};

// The host as it was seen from there; without a survey not_supported.
class BundleSurvey : public HostPort {
  public:
    BundleSurvey(const BundleLabel& label, BundleReader& bundle);
    Result<HostSurvey> survey() override { return survey_; }
    Result<std::vector<HostSeries>> history(TotalsBy, Timestamp, Timestamp, std::size_t,
                                            std::size_t) override {
        return refusal_.refuse();
    }
    Result<std::optional<HostRecord>> at(Timestamp) override { return refusal_.refuse(); }
    Result<std::vector<HostCleanItem>> rehearse(const std::vector<std::string>&) override {
        return refusal_.refuse();
    }
    Result<std::vector<HostCleanItem>> clean(const std::vector<HostSegment>&) override {
        return refusal_.refuse();
    }

  private:
    BundleRefusal refusal_;
    Result<HostSurvey> survey_;  // constant
};

// No manager is started for a bundle.
class BundleHost : public ManagerHost {
  public:
    explicit BundleHost(const BundleLabel& label) : refusal_(label) {}
    bool embedded() const override { return false; }
    Status embed() override { return refusal_.refuse(); }
    Status hand_over() override { return refusal_.refuse(); }

  private:
    BundleRefusal refusal_;
};

// As BundleRegionsReader.
Result<std::vector<RegionRow>> regions_of_bundle(const std::string& file);

BundleLabel label_of(const BundleReader& bundle);
// `bundle` outlives the workspace.
Workspace::Parts bundle_parts(BundleReader& bundle);

}  // namespace snakepit::shm::ui
