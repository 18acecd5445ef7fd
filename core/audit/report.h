// SPDX-License-Identifier: MIT
// Audit reports: rows of the history with what they come to, whether the history is genuine, and a
// signature of the file's own, so that another machine can check it with the public key alone.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "audit/summary.h"
#include "audit/verifier.h"
#include "base/result.h"
#include "crypto/signature.h"
#include "events/event_reader.h"

namespace snakepit::shm {

enum class ReportFormat : std::uint8_t { csv, json, html, pdf };
// Writing pdf is not supported here: the monitor draws those.
std::optional<ReportFormat> parse_report_format(std::string_view text);

struct ReportRequest {
    std::string database;  // events.db; audit.head stands beside it
    std::string instance;
    EventQuery filter;  // its limit and order are ignored
    ReportFormat format = ReportFormat::html;
};

// A report without its rows, for a program that draws one itself.
struct ReportContents {
    std::string instance;
    std::string filter;  // as text; empty: everything
    Timestamp made;
    PublicKey key{};  // of the instance that signs it
    ReportSummary summary;
    AuditVerdict verdict;  // of the whole history
    EventQuery query;      // selects exactly the rows of `summary`
};

// Reads the history once for the verdict and once for the summary.
Result<ReportContents> read_report(EventReader& reader, const ReportRequest& request,
                                   const PublicKey& key);

// Writes the whole file to `out`, a page of rows at a time. Any thread; takes seconds for millions
// of rows. invalid_argument for pdf.
Status write_report(const ReportRequest& request, const SigningKey& key, std::ostream& out);

// Writes a report that another program drew, followed by its signature as a PDF comment.
Status write_drawn_report(std::string_view pdf, const SigningKey& key, std::ostream& out);

struct ReportCheck {
    PublicKey signer{};
    bool intact = false;  // every byte is as `signer` signed it
};
// corruption_detected: the file is not a report, or its last line is not a signature.
Result<ReportCheck> check_report(const std::string& path);

}  // namespace snakepit::shm
