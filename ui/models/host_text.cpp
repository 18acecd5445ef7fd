// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/host_text.h"

#include <QObject>

#include "ui/models/format.h"
#include "ui/models/worker_names.h"

namespace snakepit::shm::ui {

QString kind_title(SegmentKind kind) {
    switch (kind) {
        case SegmentKind::posix:
            return u"POSIX"_s;
        case SegmentKind::system_v:
            return u"System V"_s;
        case SegmentKind::memfd:
            break;
    }
    return u"memfd"_s;
}

QString verdict_title(SegmentVerdict verdict) {
    return to_qstring(to_string(verdict)).replace(u'_', u' ');
}

Severity severity_of(SegmentVerdict verdict) {
    switch (verdict) {
        case SegmentVerdict::in_use:
            return Severity::good;
        case SegmentVerdict::ours:
            return Severity::info;
        case SegmentVerdict::left_over:
            return Severity::caution;
        case SegmentVerdict::kept:
        case SegmentVerdict::unknown:
            break;
    }
    return Severity::neutral;
}

QString creator_text(const HostSegment& segment) {
    const auto& creator = segment.creator;
    if (creator.pid == 0) return u"–"_s;
    const auto pid = QString::number(creator.pid);
    const auto name = QString::fromStdString(creator.program);
    const auto who = name.isEmpty() ? pid : name + u' ' + pid;
    switch (creator.life) {
        case Life::lives:
            return who;
        case Life::gone:
            return QObject::tr("%1, exited").arg(who);
        case Life::not_told:
            break;
    }
    return QObject::tr("%1, not visible").arg(who);
}

QString users_text(const HostSegment& segment) {
    if (segment.users.empty() && segment.attached > 0)
        return QObject::tr("%1 attached").arg(segment.attached);
    if (segment.users.empty())
        return segment.users_complete ? QObject::tr("none") : QObject::tr("none visible");
    const auto& first = segment.users.front();
    auto text = process_text(first.program, first.pid);
    if (segment.users.size() > 1) text += QObject::tr(", %1 more").arg(segment.users.size() - 1);
    return text;
}

QString owner_text(const HostSegment& segment) {
    return segment.user.empty() ? QString::number(segment.uid)
                                : QString::fromStdString(segment.user);
}

QString mode_text(std::uint32_t mode) {
    return u"%1"_s.arg(mode & 07777, 4, 8, QLatin1Char('0'));
}

QString place_text(const HostSegment& segment) {
    if (segment.name_space == 0) return QObject::tr("this host");
    return segment.container.empty() ? QObject::tr("namespace %1").arg(segment.name_space)
                                     : QString::fromStdString(segment.container);
}

}  // namespace snakepit::shm::ui
