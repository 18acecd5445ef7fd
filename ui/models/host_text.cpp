// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/host_text.h"

#include <QObject>

namespace snakepit::shm::ui {

QString kind_title(SegmentKind kind) {
    switch (kind) {
        case SegmentKind::posix:
            return QStringLiteral("POSIX");
        case SegmentKind::system_v:
            return QStringLiteral("System V");
        case SegmentKind::memfd:
            break;
    }
    return QStringLiteral("memfd");
}

QString verdict_title(SegmentVerdict verdict) {
    switch (verdict) {
        case SegmentVerdict::in_use:
            return QObject::tr("in use");
        case SegmentVerdict::ours:
            return QObject::tr("ours");
        case SegmentVerdict::kept:
            return QObject::tr("kept");
        case SegmentVerdict::left_over:
            return QObject::tr("left over");
        case SegmentVerdict::unknown:
            break;
    }
    return QObject::tr("unknown");
}

Tone verdict_tone(SegmentVerdict verdict) {
    switch (verdict) {
        case SegmentVerdict::in_use:
            return Tone::good;
        case SegmentVerdict::ours:
            return Tone::info;
        case SegmentVerdict::left_over:
            return Tone::caution;
        case SegmentVerdict::kept:
        case SegmentVerdict::unknown:
            break;
    }
    return Tone::neutral;
}

QString creator_text(const HostSegment& segment) {
    const auto& creator = segment.creator;
    if (creator.pid == 0) return QStringLiteral("–");
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
    return QObject::tr("%1, not seen").arg(who);
}

QString users_text(const HostSegment& segment) {
    if (segment.users.empty() && segment.attached > 0)
        return QObject::tr("%1 attached").arg(segment.attached);
    if (segment.users.empty())
        return segment.users_complete ? QObject::tr("none") : QObject::tr("none seen");
    const auto& first = segment.users.front();
    auto text = QStringLiteral("%1 %2").arg(QString::fromStdString(first.program)).arg(first.pid);
    if (segment.users.size() > 1) text += QObject::tr(", %1 more").arg(segment.users.size() - 1);
    return text;
}

QString mode_text(std::uint32_t mode) {
    return QStringLiteral("%1").arg(mode & 07777, 4, 8, QLatin1Char('0'));
}

QString place_text(const HostSegment& segment) {
    if (segment.name_space == 0) return QObject::tr("this host");
    return segment.container.empty() ? QObject::tr("namespace %1").arg(segment.name_space)
                                     : QString::fromStdString(segment.container);
}

}  // namespace snakepit::shm::ui
