// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/alert_strip.h"

#include <QHBoxLayout>
#include <QLabel>

#include "ui/icons.h"
#include "ui/models/alert_text.h"
#include "ui/models/current_alerts.h"
#include "ui/models/format.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::size_t kLines = 3;
constexpr qsizetype kLongest = 48;  // of a title or a subject

QString cut(const QString& text) {
    return html_text(text.size() <= kLongest ? text : text.left(kLongest - 1) + u'…');
}

QString line_html(const Alert& alert) {
    const auto& p = colours();
    return u"<tr><td style='padding: 2px 14px 2px 0; color:%1'><b>%2</b></td>"
           u"<td style='padding: 2px 14px 2px 0'><a href='%3' style='color:%4; "
           u"text-decoration: underline'><b>%5</b></a></td>"
           u"<td style='padding: 2px 14px 2px 0; color:%6'>%7</td>"
           u"<td style='padding: 2px 14px 2px 0' align='right'>%8</td>"
           u"<td style='padding: 2px 14px 2px 0; color:%6' align='right'>%9</td>"_s.arg(
               p.severity(severity_of(alert.severity)).text.name(), severity_title(alert.severity),
               QString::number(alert.id), p.text.name(), cut(alert_title(alert)), p.muted.name(),
               cut(subject_text(alert.subject)),
               AlertStrip::tr("%1 (limit %2)")
                   .arg(QString::fromStdString(value_text(alert.value, alert.unit)),
                        QString::fromStdString(value_text(alert.threshold, alert.unit)))
                   .toHtmlEscaped(),
               AlertStrip::tr("since %1").arg(short_clock_text(alert.since))) +
           u"<td style='padding: 2px 0; color:%1'>%2</td></tr>"_s.arg(
               p.muted.name(), alert_marks(alert).join(u", "_s));
}

}  // namespace

AlertStrip::AlertStrip(CurrentAlerts& current, QWidget* parent)
    : QFrame(parent), current_(current), sign_(make_sign()), text_(make_html()) {
    setObjectName(u"card"_s);
    text_->setWordWrap(false);
    text_->setTextInteractionFlags(Qt::LinksAccessibleByMouse | Qt::LinksAccessibleByKeyboard);
    text_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    auto* all = make_tool(u"chevron"_s, tr("All alerts"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(16, 10, 10, 10);
    row->setSpacing(14);
    row->addWidget(sign_, 0, Qt::AlignVCenter);
    row->addWidget(text_, 1);
    row->addWidget(all, 0, Qt::AlignVCenter);
    connect(all, &QToolButton::clicked, this, &AlertStrip::all_wanted);
    connect(text_, &QLabel::linkActivated, this, [this](const QString& link) {
        if (const auto id = link.toULongLong(); id != 0)
            Q_EMIT alert_wanted(id);
        else
            Q_EMIT all_wanted();
    });
    connect(&current, &CurrentAlerts::changed, this, &AlertStrip::show_firing);
    connect(&current.workspace(), &Workspace::second_passed, this, [this] {
        if (isVisible()) show_firing();
    });
    connect(&Theme::instance(), &Theme::changed, this, &AlertStrip::show_firing);
    show_firing();
}

void AlertStrip::show_firing() {
    const auto firing = current_.firing();
    setVisible(!firing.empty());
    if (firing.empty()) return;
    QString html;
    QStringList spoken;
    for (std::size_t i = 0; i < std::min(firing.size(), kLines); ++i) {
        html += line_html(firing[i]);
        spoken << visible_text(alert_title(firing[i]));
    }
    html = u"<table cellspacing='0'>%1</table>"_s.arg(html);
    if (firing.size() > kLines)
        html += u"<a href='all' style='color:%1'>%2</a>"_s.arg(
            colours().accent.name(), tr("and %1 more").arg(firing.size() - kLines));
    say(text_, html);
    text_->setAccessibleName(tr("Firing alerts: %1").arg(spoken.join(u"; "_s)));
    sign_->setPixmap(icon(u"alerts"_s, severity_of(firing.front().severity)).pixmap(20, 20));
}

}  // namespace snakepit::shm::ui
