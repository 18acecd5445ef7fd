// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_audit.h"

#include <QSaveFile>
#include <QThread>
#include <streambuf>

#include <fmt/format.h>

#include "audit/audit_keys.h"
#include "events/event_reader.h"
#include "ui/report/report_pdf.h"

namespace snakepit::shm::ui {

namespace {

// A stream into a file, that tells how far it is and stops when nobody waits for it any more.
class WatchedFile : public std::streambuf {
  public:
    WatchedFile(QSaveFile& file, ReportProgress& progress) : file_(file), progress_(progress) {}
    bool cancelled() const {
        return progress_.cancelled || QThread::currentThread()->isInterruptionRequested();
    }

  protected:
    std::streamsize xsputn(const char* text, std::streamsize size) override {
        if (cancelled()) return 0;
        const auto written = file_.write(text, size);
        progress_.bytes += static_cast<std::uint64_t>(std::max<qint64>(written, 0));
        return written;
    }
    int_type overflow(int_type c) override {
        const auto byte = traits_type::to_char_type(c);
        return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
    }

  private:
    QSaveFile& file_;
    ReportProgress& progress_;
};

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

tl::unexpected<Error> not_written(const std::string& file, const QSaveFile& out) {
    return fail(ErrorCode::platform_error,
                fmt::format("{} was not written: {}", file, out.errorString().toStdString()),
                "choose another place, or free space");
}

}  // namespace

Result<AuditVerdict> LiveAudit::verify() {
    SHM_ASSIGN(const auto key, read_public_key(paths_.audit_public_key()));
    return verify_history(paths_.events_db(), key, true);
}

Result<PublicKey> LiveAudit::write(const ReportOrder& order, ReportProgress& progress) {
    SHM_ASSIGN(const auto key, report_key(paths_));
    QSaveFile file(QString::fromStdString(order.file));
    if (!file.open(QIODevice::WriteOnly)) return not_written(order.file, file);
    WatchedFile buffer(file, progress);
    std::ostream out(&buffer);
    const auto request = request_of(paths_, order);
    const auto written = order.format == ReportFormat::pdf ? write_pdf(request, key, out)
                                                           : write_report(request, key, out);
    if (buffer.cancelled()) return fail(ErrorCode::timeout, "the report was cancelled");
    if (!written) return fail(written.error());
    if (!file.commit()) return not_written(order.file, file);
    return key.public_key();
}

}  // namespace snakepit::shm::ui
