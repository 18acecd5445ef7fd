// SPDX-License-Identifier: MIT
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "audit/report.h"
#include "crypto/digest.h"

namespace snakepit::shm {

// What goes into a report, digested on the way.
class ReportSink {
  public:
    explicit ReportSink(std::ostream& out) : out_(out) {}
    void add(std::string_view text);
    // The last line, which holds the signature of everything before it.
    Status sign(const SigningKey& key, ReportFormat format);

  private:
    std::ostream& out_;
    Sha256 digest_;
};

// The rows of each format, and what stands before and after them.
void begin_csv(ReportSink& sink, const ReportContents& report);
void add_csv_row(std::string& out, const EventRow& row);
void begin_json(ReportSink& sink, const ReportContents& report);
void add_json_row(std::string& out, const EventRow& row, bool first);
void begin_html(ReportSink& sink, const ReportContents& report);
void add_html_row(std::string& out, const EventRow& row);
void end_html(ReportSink& sink);

}  // namespace snakepit::shm
