// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/host_text.h"

#include <QObject>

#include "ui/models/format.h"
#include "ui/models/worker_names.h"

namespace snakepit::shm::ui {

QString kind_title(SegmentKind kind) {
    return kind == SegmentKind::posix      ? u"POSIX"_s
           : kind == SegmentKind::system_v ? u"System V"_s
                                           : u"memfd"_s;
}

QString verdict_title(SegmentVerdict verdict) {
    return to_qstring(to_string(verdict)).replace(u'_', u' ');
}

Severity severity_of(SegmentVerdict verdict) {
    return verdict == SegmentVerdict::in_use      ? Severity::good
           : verdict == SegmentVerdict::ours      ? Severity::info
           : verdict == SegmentVerdict::left_over ? Severity::caution
                                                  : Severity::neutral;
}

QString creator_text(const HostSegment& segment) {
    const auto& creator = segment.creator;
    if (creator.pid == 0) return u"–"_s;
    const auto pid = QString::number(creator.pid);
    const auto name = QString::fromStdString(creator.program);
    const auto who = name.isEmpty() ? pid : name + u' ' + pid;
    return creator.life == Life::lives  ? who
           : creator.life == Life::gone ? QObject::tr("%1, exited").arg(who)
                                        : QObject::tr("%1, not visible").arg(who);
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
