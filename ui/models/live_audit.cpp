// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_audit.h"

#include <QThread>
#include <filesystem>
#include <ostream>

#include "audit/audit_keys.h"
#include "events/event_reader.h"
#include "platform/replace_file.h"
#include "ui/report/report_pdf.h"

namespace snakepit::shm::ui {

namespace {

ReportRequest request_of(const InstancePaths& paths, const ReportOrder& order) {
    ReportRequest request;
    request.database = paths.events_db();
    request.instance = paths.instance;
    request.filter = order.filter;
    request.format = order.format;
    return request;
}

Status write_pdf(const ReportRequest& request, const SigningKey& key, std::ostream& out) {
    SHM_ASSIGN(auto reader, EventReader::open(request.database));
    SHM_ASSIGN(const auto report, read_report(reader, request, key.public_key()));
    auto newest = report.query;
    newest.newest_first = true;
    newest.limit = kReportRows;
    SHM_ASSIGN(const auto rows, reader.query(newest));
    const auto pdf = draw_report(report, rows);
    return write_drawn_report(std::string_view(pdf.constData(), pdf.size()), key, out);
}

}  // namespace

Result<AuditVerdict> LiveAudit::verify() {
    SHM_ASSIGN(const auto key, read_public_key(paths_.audit_public_key()));
    return verify_history(paths_.events_db(), key, true);
}

Result<PublicKey> LiveAudit::write(const ReportOrder& order, ReportProgress& progress) {
    SHM_ASSIGN(const auto key, report_key(paths_));
    // The dialog has asked whether a file that is there may go; one that comes while the report is
    // written stays.
    std::error_code unknown;
    SHM_ASSIGN(
        auto file,
        OutputFile::begin(order.file, {.replace = std::filesystem::exists(order.file, unknown)}));
    OutputStream bytes(file, [&progress](std::size_t size) {
        progress.bytes += size;
        return !progress.cancelled && !QThread::currentThread()->isInterruptionRequested();
    });
    std::ostream out(&bytes);
    const auto request = request_of(paths_, order);
    const auto written = order.format == ReportFormat::pdf ? write_pdf(request, key, out)
                                                           : write_report(request, key, out);
    SHM_TRY(bytes.finish());  // why, where it could not be written
    SHM_TRY(written);
    SHM_TRY(file.commit());
    return key.public_key();
}

}  // namespace snakepit::shm::ui
