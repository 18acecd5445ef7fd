// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/host_model.h"

#include <array>

#include "ui/models/compare.h"
#include "ui/models/format.h"
#include "ui/models/host_text.h"
#include "ui/models/moment.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::array<ColumnTraits, kHostColumns> kColumns{{
    {"name", "Segment", false},
    {"kind", "Kind", false},
    {"verdict", "Verdict", false},
    {"confidence", "Sure", true},
    {"size", "Size", true},
    {"resident", "Resident", true},
    {"program", "Program", false},
    {"users", "Used by", false},
    {"owner", "Owner", false},
    {"creator", "Creator", false},
    {"touched", "Last touch", true},
    {"created", "Age", true},
    {"mode", "Mode", true},
    {"place", "Where", false},
}};

QString display(const HostSegment& s, int column) {
    switch (column) {
        case kHostName:
            return QString::fromStdString(s.label.empty() ? s.name : s.label);
        case kHostKind:
            return kind_title(s.kind);
        case kHostVerdict:
            return verdict_title(s.verdict);
        case kHostConfidence:
            return QObject::tr("%1 %").arg(s.confidence);
        case kHostSize:
            return size_text(s.size);
        case kHostResident:
            return s.resident ? size_text(s.resident) : QStringLiteral("0");
        case kHostProgram:
            return s.program.empty() ? QStringLiteral("–") : QString::fromStdString(s.program);
        case kHostUsers:
            return users_text(s);
        case kHostOwner:
            return s.user.empty() ? QString::number(s.uid) : QString::fromStdString(s.user);
        case kHostCreator:
            return creator_text(s);
        case kHostTouched:
            return since_text(s.touched, shown_now());
        case kHostCreated:
            return since_text(s.created, shown_now());
        case kHostMode:
            return mode_text(s.mode);
        default:
            return place_text(s);
    }
}

QVariant exported(const HostSegment& s, int column) {
    switch (column) {
        case kHostName:
            return QString::fromStdString(s.name);
        case kHostKind:
            return to_qstring(to_string(s.kind));
        case kHostVerdict:
            return to_qstring(to_string(s.verdict));
        case kHostConfidence:
            return s.confidence;
        case kHostSize:
            return QVariant::fromValue<qulonglong>(s.size);
        case kHostResident:
            return QVariant::fromValue<qulonglong>(s.resident);
        case kHostProgram:
            return QString::fromStdString(s.program);
        case kHostUsers:
            return QVariant::fromValue<qulonglong>(s.users.size());
        case kHostTouched:
            return QString::fromStdString(to_rfc3339(s.touched));
        case kHostCreated:
            return QString::fromStdString(to_rfc3339(s.created));
        default:
            return display(s, column);
    }
}

bool is_muted(const HostSegment& s, int column) {
    switch (column) {
        case kHostUsers:
            return s.users.empty();
        case kHostProgram:
            return s.program.empty();
        case kHostCreator:
            return s.creator.pid == 0;
        case kHostResident:
            return s.resident == 0;
        case kHostPlace:
            return s.name_space == 0;
        default:
            return column == kHostConfidence;
    }
}

}  // namespace

HostRows host_rows(std::vector<HostSegment> segments) {
    HostRows rows;
    rows.reserve(segments.size());
    for (auto& segment : segments) {
        auto search = HostFilter::search_text(segment);
        rows.push_back(std::make_shared<const HostRow>(HostRow{std::move(segment), search}));
    }
    return rows;
}

void HostModel::set_filter(HostFilter filter) {
    filter_ = std::move(filter);
    arrange();
}

std::string HostModel::key(const HostRow& row) const {
    return row.segment.name;
}

bool HostModel::wanted(const HostRow& row) const {
    return filter_.matches(row.segment, row.search);
}

int HostModel::compare(const HostRow& x, const HostRow& y, int column) const {
    const auto &a = x.segment, &b = y.segment;
    switch (column) {
        case kHostName:
            return order_of(a.label, b.label);
        case kHostKind:
            return order_of(a.kind, b.kind);
        case kHostVerdict:
        case -1:
            if (const int order = order_of(rank(a.verdict), rank(b.verdict));
                order != 0 || column >= 0)
                return order;
            return order_of(b.size, a.size);
        case kHostConfidence:
            return order_of(a.confidence, b.confidence);
        case kHostSize:
            return order_of(a.size, b.size);
        case kHostResident:
            return order_of(a.resident, b.resident);
        case kHostProgram:
            return order_of(a.program, b.program);
        case kHostUsers:
            return order_of(a.users.size(), b.users.size());
        case kHostOwner:
            return order_of(a.user, b.user);
        case kHostCreator:
            return order_of(a.creator.pid, b.creator.pid);
        case kHostTouched:
            return order_of(b.touched, a.touched);  // as an age
        case kHostCreated:
            return order_of(b.created, a.created);
        case kHostMode:
            return order_of(a.mode, b.mode);
        default:
            return order_of(a.name_space, b.name_space);
    }
}

std::span<const ColumnTraits> HostModel::columns() const {
    return kColumns;
}

QVariant HostModel::cell(int number, int column, int role) const {
    const auto& segment = row(number)->segment;
    switch (role) {
        case Qt::DisplayRole:
            return display(segment, column);
        case kSortRole:
        case kExportRole:
            return exported(segment, column);
        case kIdRole:
            return QString::fromStdString(segment.name);
        case kToneRole:
            return static_cast<int>(column == kHostVerdict ? verdict_tone(segment.verdict)
                                                           : Tone::none);
        case kMonospaceRole:
            return column == kHostName || column == kHostMode;
        case kMutedRole:
            return is_muted(segment, column);
        case Qt::ToolTipRole:
            return column == kHostName ? QString::fromStdString(segment.name)
                                       : display(segment, column);
        default:
            return {};
    }
}

}  // namespace snakepit::shm::ui
