"""Every page and act of the console, with the action the policy asks of its caller.

The invariant: the table is complete; a handler that is not in it is not served, and a page that is in
it can be opened by exactly those the policy allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from cloud.console import (
    account_money,
    accounts,
    alarms,
    announcements,
    audit,
    ballots,
    bill_run,
    billing,
    cashier,
    commands,
    complaints,
    configurations,
    correction,
    duty,
    enrolment,
    entry,
    equipment,
    exchange,
    find,
    gateways,
    goods,
    guard,
    hand_reading,
    home,
    home_announcements,
    home_repairs,
    imports,
    installable,
    invitation,
    invoices,
    jobs,
    ledger,
    login,
    me,
    meters,
    migration,
    moving,
    notifiers,
    overview,
    papers,
    parallel_run,
    parcels,
    paying,
    payments,
    people,
    plans,
    print_runs,
    provider_statements,
    register,
    repairs,
    reports,
    response_plans,
    second_step,
    service_sheets,
    sites,
    spaces,
    staff,
    tariff_editor,
    tariffs,
    technicians,
    upkeep,
    venues,
    verification,
    visitors,
)
from cloud.console.assets import PREFIX, Assets
from cloud.console.desk import PageHandler, at_desk, at_front_door
from cloud.console.failures import render_failure
from cloud.console.templating import add_templates
from cloud.domain.access import Action
from cloud.web.door import Door


@dataclass(frozen=True, slots=True)
class Page:
    """One address, what answers it, and who may."""

    method: str
    path: str
    handler: PageHandler
    action: Action


_NUMBER = "{number:[A-Za-z0-9-]+}"
_CONFIGURATION = "/gateways/{code}/configuration/{version:[0-9]{1,9}}"
_PLAN = "/equipment/{code}/plans/{plan_id}"
_VERSION = "{version:[0-9]{1,6}}"
_LINE = "{line_no:[0-9]{1,4}}"

PAGES: Sequence[Page] = (
    Page("GET", "/", overview.show, Action.READ_OVERVIEW),
    Page("GET", "/accounts", accounts.show_list, Action.READ_LEDGER),
    Page("GET", "/accounts/{account}", accounts.show_account, Action.READ_LEDGER),
    Page("GET", "/accounts/{account}/notice", papers.print_notice, Action.READ_LEDGER),
    Page("GET", "/accounts/{account}/running", accounts.show_running, Action.READ_LEDGER),
    Page("GET", "/accounts/{account}/money", account_money.show, Action.READ_LEDGER),
    Page("POST", "/accounts/{account}/money", account_money.act, Action.READ_LEDGER),
    Page("POST", "/accounts/{account}/payments", accounts.record_payment, Action.RECORD_PAYMENTS),
    Page("GET", "/alarms", alarms.show_list, Action.READ_ALARMS),
    Page("GET", "/alarms/{alarm_id}", alarms.show_one, Action.READ_ALARMS),
    Page("POST", "/alarms/{alarm_id}/acknowledge", alarms.acknowledge, Action.ACKNOWLEDGE_ALARM),
    Page("POST", "/alarms/{alarm_id}/handle", alarms.handle, Action.ACKNOWLEDGE_ALARM),
    Page("POST", "/alarms/{alarm_id}/evidence", alarms.fetch_evidence, Action.EXPORT_EVIDENCE),
    Page("POST", "/alarms/{alarm_id}/plan", alarms.tick, Action.ACKNOWLEDGE_ALARM),
    Page("POST", "/alarms/{alarm_id}/repair", repairs.of_alarm, Action.RECORD_REPAIRS),
    Page("GET", "/announcements", announcements.show_list, Action.READ_COMMUNITY),
    Page("GET", "/announcements/new", announcements.show_new, Action.MANAGE_COMMUNITY),
    Page("POST", "/announcements/new", announcements.submit_new, Action.MANAGE_COMMUNITY),
    Page("GET", "/announcements/{announcement}", announcements.show_one, Action.READ_COMMUNITY),
    Page("GET", "/announcements/{announcement}/export", announcements.export, Action.READ_COMMUNITY),
    Page("POST", "/announcements/{announcement}/withdraw", announcements.take_back, Action.MANAGE_COMMUNITY),
    Page("GET", "/audit", audit.show, Action.READ_AUDIT),
    Page("GET", "/ballots", ballots.show_list, Action.READ_COMMUNITY),
    Page("GET", "/ballots/new", ballots.show_new, Action.MANAGE_COMMUNITY),
    Page("POST", "/ballots/new", ballots.submit_new, Action.MANAGE_COMMUNITY),
    Page("GET", "/ballots/{ballot}", ballots.show_one, Action.READ_COMMUNITY),
    Page("POST", "/ballots/{ballot}", ballots.act, Action.MANAGE_COMMUNITY),
    Page("GET", "/ballots/{ballot}/export", ballots.export, Action.READ_COMMUNITY),
    Page("GET", "/billing", billing.show_periods, Action.CLOSE_PERIOD),
    Page("GET", "/billing/{code}", bill_run.show_run, Action.CLOSE_PERIOD),
    Page("POST", "/billing/{code}/check", bill_run.check, Action.CLOSE_PERIOD),
    Page("POST", "/billing/{code}/close", bill_run.close, Action.CLOSE_PERIOD),
    Page("POST", "/billing/{code}/decide", bill_run.decide, Action.APPROVE_BILLS),
    Page("GET", "/billing/{code}/progress", bill_run.show_progress, Action.CLOSE_PERIOD),
    Page("GET", "/billing/{code}/visits", bill_run.fetch_visits, Action.CLOSE_PERIOD),
    Page("GET", "/access", entry.show_log, Action.READ_PASSAGES),
    Page("GET", "/access/badges", entry.show_badges, Action.READ_PASSAGES),
    Page("POST", "/access/badges", entry.give, Action.MANAGE_BADGES),
    Page("POST", "/access/badges/{badge}", entry.change_badge, Action.REPORT_BADGE_LOST),
    Page("GET", "/access/entrances", entry.show_entrances, Action.READ_PASSAGES),
    Page("POST", "/access/entrances", entry.add, Action.MANAGE_ENTRANCES),
    Page("GET", "/checklists", service_sheets.show_lists, Action.READ_EQUIPMENT),
    Page("GET", "/checklists/{code}", service_sheets.show_list, Action.READ_EQUIPMENT),
    Page("POST", "/checklists/{code}", service_sheets.change_list, Action.MANAGE_MAINTENANCE),
    Page("GET", "/commands", commands.show_list, Action.READ_COMMANDS),
    Page("GET", "/commands/{command_id}", commands.show_one, Action.READ_COMMANDS),
    Page("GET", "/complaints", complaints.show_list, Action.READ_COMMUNITY),
    Page("GET", "/complaints/{complaint}", complaints.show_one, Action.READ_COMMUNITY),
    Page("POST", "/complaints/{complaint}", complaints.act, Action.MANAGE_COMMUNITY),
    Page("GET", "/devices/{code}/{device}", commands.show_device, Action.READ_COMMANDS),
    Page("POST", "/devices/{code}/{device}", commands.ask, Action.READ_COMMANDS),
    Page("GET", "/duty", duty.show, Action.READ_DUTY),
    Page("POST", "/duty", duty.act, Action.READ_DUTY),
    Page("GET", "/equipment", equipment.show_board, Action.READ_EQUIPMENT),
    Page("GET", "/equipment/lift", equipment.show_lift, Action.READ_EQUIPMENT),
    Page("GET", "/equipment/{code}", equipment.show_one, Action.READ_EQUIPMENT),
    Page(
        "GET", "/equipment/{code}/attachments/{attachment}", equipment.fetch_attachment, Action.READ_EQUIPMENT
    ),
    Page("GET", "/equipment/{code}/record", upkeep.show_record, Action.READ_EQUIPMENT),
    Page("POST", "/equipment/{code}/record", upkeep.record, Action.COMPLETE_MAINTENANCE),
    Page("GET", "/equipment/{code}/edit", register.show_edit, Action.MANAGE_EQUIPMENT),
    Page("POST", "/equipment/{code}/edit", register.submit_edit, Action.MANAGE_EQUIPMENT),
    Page("POST", "/equipment/{code}/papers", equipment.change_papers, Action.MANAGE_EQUIPMENT),
    Page("GET", "/equipment/{code}/plans/new", plans.show_new, Action.MANAGE_MAINTENANCE),
    Page("POST", "/equipment/{code}/plans/new", plans.submit_new, Action.MANAGE_MAINTENANCE),
    Page("GET", _PLAN + "/edit", plans.show_edit, Action.MANAGE_MAINTENANCE),
    Page("POST", _PLAN + "/edit", plans.submit_edit, Action.MANAGE_MAINTENANCE),
    Page("POST", "/equipment/{code}/plans/{plan_id}/sign", equipment.sign, Action.COMPLETE_MAINTENANCE),
    Page("GET", _PLAN + "/sheet", service_sheets.show_form, Action.COMPLETE_MAINTENANCE),
    Page("POST", _PLAN + "/sheet", service_sheets.sign, Action.COMPLETE_MAINTENANCE),
    Page("GET", _PLAN + "/link", service_sheets.show_links, Action.MANAGE_MAINTENANCE),
    Page("POST", _PLAN + "/link", service_sheets.change_links, Action.MANAGE_MAINTENANCE),
    Page("GET", "/find", find.show, Action.READ_PREMISES),
    Page("GET", "/find/results", find.show_results, Action.READ_PREMISES),
    Page("GET", "/gateways", gateways.show_list, Action.READ_GATEWAYS),
    Page("GET", "/gateways/new", enrolment.show, Action.MANAGE_GATEWAYS),
    Page("POST", "/gateways/new", enrolment.create, Action.MANAGE_GATEWAYS),
    Page("GET", "/gateways/{code}", gateways.show_one, Action.READ_GATEWAYS),
    Page("POST", "/gateways/{code}/enrolment", enrolment.offer, Action.MANAGE_GATEWAYS),
    Page("POST", "/gateways/{code}/problems/{problem_id}/settle", gateways.settle, Action.MANAGE_GATEWAYS),
    Page("POST", "/gateways/{code}/revoke", enrolment.revoke, Action.MANAGE_GATEWAYS),
    Page("POST", "/gateways/{code}/trust", enrolment.trust, Action.MANAGE_GATEWAYS),
    Page("GET", "/gateways/{code}/configuration", configurations.show_all, Action.READ_GATEWAYS),
    Page("POST", "/gateways/{code}/configuration", configurations.begin, Action.CONFIGURE_GATEWAYS),
    Page("GET", "/gateways/{code}/configuration/draft", configurations.show_draft, Action.CONFIGURE_GATEWAYS),
    Page("POST", "/gateways/{code}/configuration/draft", configurations.edit, Action.CONFIGURE_GATEWAYS),
    Page("POST", "/gateways/{code}/configuration/draft/send", configurations.send, Action.CONFIGURE_GATEWAYS),
    Page("GET", _CONFIGURATION, configurations.show_one, Action.READ_GATEWAYS),
    Page(
        "POST",
        f"{_CONFIGURATION}/withdraw",
        configurations.withdraw,
        Action.CONFIGURE_GATEWAYS,
    ),
    Page("GET", "/goods", goods.show_gate, Action.CHECK_OUT_GOODS),
    Page("POST", "/goods", goods.act_gate, Action.CHECK_OUT_GOODS),
    Page("GET", "/guard", guard.show, Action.ACKNOWLEDGE_ALARM),
    Page("GET", "/home", home.show_home, Action.READ_OWN_ACCOUNTS),
    Page("GET", "/home/announcements", home_announcements.show_list, Action.USE_COMMUNITY),
    Page("GET", "/home/announcements/{announcement}", home_announcements.show_one, Action.USE_COMMUNITY),
    Page("GET", "/home/ballots", ballots.show_own, Action.USE_COMMUNITY),
    Page("POST", "/home/ballots/{ballot}", ballots.cast_own, Action.USE_COMMUNITY),
    Page("GET", "/home/bills", home.show_bills, Action.READ_OWN_ACCOUNTS),
    Page("GET", f"/home/bills/{_NUMBER}", home.show_bill, Action.READ_OWN_ACCOUNTS),
    Page("GET", f"/home/bills/{_NUMBER}/lines/{_LINE}", home.show_line, Action.READ_OWN_ACCOUNTS),
    Page("GET", f"/home/bills/{_NUMBER}/pdf", papers.print_invoice, Action.READ_OWN_ACCOUNTS),
    Page("GET", "/home/complaints", complaints.show_own, Action.USE_COMMUNITY),
    Page("POST", "/home/complaints", complaints.tell, Action.USE_COMMUNITY),
    Page("GET", "/home/complaints/{complaint}", complaints.show_own_one, Action.USE_COMMUNITY),
    Page("POST", "/home/complaints/{complaint}", complaints.act_own, Action.USE_COMMUNITY),
    Page("GET", "/home/inbox", notifiers.show_inbox, Action.READ_NOTICES),
    Page("GET", "/home/me", me.show, Action.USE_OWN_ACCOUNT),
    Page("POST", "/home/me", me.act, Action.USE_OWN_ACCOUNT),
    Page("GET", "/home/more", home.show_more, Action.READ_OWN_ACCOUNTS),
    Page("GET", "/home/pay", paying.show, Action.PAY_OWN_ACCOUNTS),
    Page("POST", "/home/pay", paying.submit, Action.PAY_OWN_ACCOUNTS),
    Page("GET", f"/home/receipts/{_NUMBER}/pdf", papers.print_receipt, Action.READ_OWN_ACCOUNTS),
    Page("GET", "/home/privacy", people.show_own, Action.USE_OWN_PRIVACY),
    Page("GET", "/home/privacy/copy", people.copy_own, Action.USE_OWN_PRIVACY),
    Page("POST", "/home/privacy", people.act_own, Action.USE_OWN_PRIVACY),
    Page("GET", "/home/repairs", home_repairs.show_list, Action.REQUEST_REPAIRS),
    Page("GET", "/home/repairs/new", home_repairs.show_new, Action.REQUEST_REPAIRS),
    Page("POST", "/home/repairs/new", home_repairs.submit_new, Action.REQUEST_REPAIRS),
    Page("GET", "/home/repairs/{repair}", home_repairs.show_one, Action.REQUEST_REPAIRS),
    Page("POST", "/home/repairs/{repair}", home_repairs.act, Action.REQUEST_REPAIRS),
    Page("GET", "/home/repairs/{repair}/photos/{photo}", home_repairs.show_photo, Action.REQUEST_REPAIRS),
    Page("GET", "/home/running", home.show_running, Action.READ_OWN_ACCOUNTS),
    Page("GET", "/imports/{import_id}", imports.show_import, Action.IMPORT_TABLES),
    Page("POST", "/imports/{import_id}/carry-out", imports.carry_out, Action.IMPORT_TABLES),
    Page("GET", "/imports/{import_id}/rejected", imports.fetch_rejected, Action.IMPORT_TABLES),
    Page("POST", "/imports/{import_id}/undo", imports.undo, Action.IMPORT_TABLES),
    Page("GET", "/home/badges", entry.show_own, Action.USE_OWN_BADGES),
    Page("POST", "/home/badges", entry.make_code, Action.USE_OWN_BADGES),
    Page("POST", "/home/badges/{badge}", entry.change_own, Action.USE_OWN_BADGES),
    Page("GET", "/home/goods", goods.show_own, Action.ASK_GOODS_RELEASE),
    Page("POST", "/home/goods", goods.act_own, Action.ASK_GOODS_RELEASE),
    Page("GET", "/home/parcels", parcels.show_own, Action.USE_COMMUNITY),
    Page("GET", "/home/venues", venues.show_own, Action.USE_COMMUNITY),
    Page("POST", "/home/venues", venues.act_own, Action.USE_COMMUNITY),
    Page("GET", "/home/visitors", visitors.show_own, Action.INVITE_VISITORS),
    Page("POST", "/home/visitors", visitors.invite, Action.INVITE_VISITORS),
    Page("POST", "/home/visitors/{visit}", visitors.take_back, Action.INVITE_VISITORS),
    Page("GET", "/invoices", invoices.show_list, Action.READ_LEDGER),
    Page("POST", "/invoices/print", print_runs.print_bills, Action.READ_LEDGER),
    Page("GET", f"/invoices/{_NUMBER}", invoices.show_one, Action.READ_LEDGER),
    Page("GET", f"/invoices/{_NUMBER}/correct", correction.show, Action.CORRECT_INVOICES),
    Page("POST", f"/invoices/{_NUMBER}/correct", correction.submit, Action.CORRECT_INVOICES),
    Page("GET", f"/invoices/{_NUMBER}/lines/{_LINE}/trace", invoices.show_trace, Action.READ_LEDGER),
    Page("GET", f"/invoices/{_NUMBER}/pdf", papers.print_invoice, Action.READ_LEDGER),
    Page("GET", "/jobs", jobs.show_list, Action.WORK_REPAIRS),
    Page("GET", "/jobs/{repair}", jobs.show_one, Action.WORK_REPAIRS),
    Page("POST", "/jobs/{repair}", jobs.act, Action.WORK_REPAIRS),
    Page("GET", "/inbox", notifiers.show_inbox, Action.READ_NOTICES),
    Page("GET", "/me", me.show, Action.USE_OWN_ACCOUNT),
    Page("POST", "/me", me.act, Action.USE_OWN_ACCOUNT),
    Page("GET", "/meters", meters.show_list, Action.READ_METERS),
    Page("GET", "/meters/{meter}", meters.show_one, Action.READ_METERS),
    Page("GET", "/meters/{meter}/exchange", exchange.show, Action.MANAGE_METERS),
    Page("POST", "/meters/{meter}/exchange", exchange.submit, Action.MANAGE_METERS),
    Page("GET", "/meters/{meter}/reading", hand_reading.show, Action.ENTER_READINGS),
    Page("POST", "/meters/{meter}/reading", hand_reading.submit, Action.ENTER_READINGS),
    Page("GET", "/meters/{meter}/values", meters.show_values, Action.READ_METERS),
    Page("GET", "/parcels", parcels.show_shelf, Action.HANDLE_PARCELS),
    Page("POST", "/parcels", parcels.take_in, Action.HANDLE_PARCELS),
    Page("POST", "/parcels/handing-out", parcels.hand_out, Action.HANDLE_PARCELS),
    Page("GET", "/payments", payments.show_arrears, Action.READ_LEDGER),
    Page("GET", "/payments/day", cashier.show, Action.READ_LEDGER),
    Page("POST", "/payments/day", cashier.close_day, Action.RECORD_PAYMENTS),
    Page("GET", "/payments/statement", provider_statements.show, Action.READ_LEDGER),
    Page("POST", "/payments/statement", provider_statements.compare, Action.READ_LEDGER),
    Page("POST", "/payments/refunds/{refund_id}", cashier.decide, Action.APPROVE_REFUNDS),
    Page("POST", "/payments/reminders", payments.remind, Action.MANAGE_DUNNING),
    Page("POST", "/payments/schedule", payments.set_schedule, Action.MANAGE_DUNNING),
    Page("POST", "/payments/notices", print_runs.print_notices, Action.READ_LEDGER),
    Page("GET", "/people", people.show_list, Action.READ_PEOPLE),
    Page("GET", "/people/new", people.show_new, Action.MANAGE_PEOPLE),
    Page("POST", "/people/new", people.submit_new, Action.MANAGE_PEOPLE),
    Page("GET", "/people/{person}", people.show_one, Action.READ_PEOPLE),
    Page("POST", "/people/{person}", people.act, Action.MANAGE_PEOPLE),
    Page("POST", "/people/{person}/reveal", people.reveal, Action.REVEAL_PERSONAL_DATA),
    Page("GET", "/premises", spaces.show_list, Action.READ_PREMISES),
    Page("GET", "/premises/new", spaces.show_new, Action.MANAGE_PREMISES),
    Page("POST", "/premises/new", spaces.submit_new, Action.MANAGE_PREMISES),
    Page("GET", "/premises/{space}", spaces.show_one, Action.READ_PREMISES),
    Page("POST", "/premises/{space}", spaces.change, Action.MANAGE_PREMISES),
    Page("GET", "/premises/{space}/attachments/{attachment}", spaces.fetch_attachment, Action.READ_LEDGER),
    Page("GET", "/premises/{space}/move", moving.show, Action.MANAGE_PEOPLE),
    Page("POST", "/premises/{space}/move", moving.submit, Action.MANAGE_PEOPLE),
    Page("GET", "/prints/{run}", print_runs.show_run, Action.READ_LEDGER),
    Page("GET", "/prints/{run}/file", print_runs.fetch, Action.READ_LEDGER),
    Page("POST", "/prints/{run}/stop", print_runs.stop, Action.READ_LEDGER),
    Page("GET", f"/receipts/{_NUMBER}/pdf", papers.print_receipt, Action.READ_LEDGER),
    Page("GET", "/register", register.show_list, Action.READ_EQUIPMENT),
    Page("GET", "/labels/{equipment_id}", register.open_label, Action.READ_EQUIPMENT),
    Page("GET", "/register/labels/pdf", register.print_labels, Action.READ_EQUIPMENT),
    Page("GET", "/register/new", register.show_new, Action.MANAGE_EQUIPMENT),
    Page("POST", "/register/new", register.submit_new, Action.MANAGE_EQUIPMENT),
    Page("GET", "/repairs", repairs.show_list, Action.READ_REPAIRS),
    Page("GET", "/repairs/new", repairs.show_new, Action.RECORD_REPAIRS),
    Page("POST", "/repairs/new", repairs.submit_new, Action.RECORD_REPAIRS),
    Page("GET", "/repairs/{repair}", repairs.show_one, Action.READ_REPAIRS),
    Page("POST", "/repairs/{repair}", repairs.act, Action.RECORD_REPAIRS),
    Page("GET", "/repairs/{repair}/photos/{photo}", repairs.show_photo, Action.READ_REPAIRS),
    Page("GET", "/ledger", ledger.show, Action.READ_LEDGER),
    Page("GET", "/ledger/export", ledger.fetch, Action.READ_LEDGER),
    Page("POST", "/ledger/subjects", ledger.set_subjects, Action.MANAGE_TARIFFS),
    Page("GET", "/reports", reports.show, Action.READ_LEDGER),
    Page("GET", "/reports/journal", reports.fetch_journal, Action.READ_LEDGER),
    Page("GET", "/reports/parallel", parallel_run.show, Action.READ_LEDGER),
    Page("GET", "/reports/parallel/{code}/export", parallel_run.fetch, Action.READ_LEDGER),
    Page("GET", "/reports/{code}/export", reports.fetch_report, Action.READ_LEDGER),
    Page("GET", "/notifiers", notifiers.show, Action.MANAGE_NOTIFIERS),
    Page("POST", "/notifiers", notifiers.act, Action.MANAGE_NOTIFIERS),
    Page("GET", "/staff", staff.show_list, Action.MANAGE_USERS),
    Page("POST", "/staff", staff.invite, Action.MANAGE_USERS),
    Page("POST", "/staff/second-factor", staff.require_second_factor, Action.MANAGE_USERS),
    Page("GET", "/staff/{user_id}", staff.show_one, Action.MANAGE_USERS),
    Page("POST", "/staff/{user_id}", staff.act, Action.MANAGE_USERS),
    Page("GET", "/response-plans", response_plans.show, Action.READ_ALARMS),
    Page("POST", "/response-plans", response_plans.write, Action.MANAGE_RESPONSE_PLANS),
    Page("GET", "/sheets/{sheet}", service_sheets.show_signed, Action.READ_EQUIPMENT),
    Page("GET", "/sheets/{sheet}/photos/{photo}", service_sheets.show_photo, Action.READ_EQUIPMENT),
    Page("GET", "/tables", imports.show_tables, Action.IMPORT_TABLES),
    Page("GET", "/tables/migration", migration.show, Action.MANAGE_PREMISES),
    Page("POST", "/tables/migration", migration.note, Action.MANAGE_PREMISES),
    Page("POST", "/tables/{kind}", imports.upload, Action.IMPORT_TABLES),
    Page("GET", "/tables/{kind}/export", imports.fetch_table, Action.IMPORT_TABLES),
    Page("GET", "/tables/{kind}/template", imports.fetch_template, Action.IMPORT_TABLES),
    Page("GET", "/tariffs", tariffs.show_list, Action.READ_LEDGER),
    Page("GET", "/tariffs/{code}", tariffs.show_one, Action.READ_LEDGER),
    Page("POST", "/tariffs/{code}/preview", tariff_editor.preview, Action.MANAGE_TARIFFS),
    Page("GET", "/tariffs/{code}/revise", tariff_editor.show, Action.MANAGE_TARIFFS),
    Page("POST", "/tariffs/{code}/revise", tariff_editor.save, Action.MANAGE_TARIFFS),
    Page("POST", f"/tariffs/{{code}}/{_VERSION}/activate", tariff_editor.activate, Action.MANAGE_TARIFFS),
    Page("POST", f"/tariffs/{{code}}/{_VERSION}/retire", tariff_editor.retire, Action.MANAGE_TARIFFS),
    Page("GET", "/technicians", technicians.show_list, Action.READ_REPAIRS),
    Page("POST", "/technicians/{user_id}", technicians.submit, Action.MANAGE_REPAIRS),
    Page("GET", "/venues", venues.show_office, Action.READ_COMMUNITY),
    Page("POST", "/venues", venues.act_office, Action.MANAGE_COMMUNITY),
    Page("GET", "/visitors", visitors.show_gate, Action.ADMIT_VISITORS),
    Page("POST", "/visitors", visitors.admit, Action.ADMIT_VISITORS),
    Page("POST", "/visitors/barred", visitors.bar, Action.BAR_VISITORS),
    Page("GET", "/upkeep/calendar", upkeep.show_calendar, Action.READ_EQUIPMENT),
    Page("GET", "/upkeep/reliability", upkeep.show_reliability, Action.READ_EQUIPMENT),
    Page("GET", "/upkeep/reliability/export", upkeep.fetch_reliability, Action.READ_EQUIPMENT),
    Page("GET", "/today/{part}", overview.show_part, Action.READ_OVERVIEW),
)


def add_routes(app: web.Application) -> None:
    """Mount the console: its assets, its sign-in, its pages."""
    assets = Assets()
    add_templates(app, assets)
    assets.add_routes(app)
    app.router.add_get("/login", login.show)
    app.router.add_post("/login", login.submit)
    app.router.add_get("/login/company", second_step.show_companies)
    app.router.add_post("/login/company", second_step.choose_company)
    app.router.add_get("/login/code", second_step.show)
    app.router.add_post("/login/code", second_step.submit)
    app.router.add_post("/logout", login.leave)
    app.router.add_post("/preferences", login.set_preferences)
    app.router.add_get("/sites/new", sites.show)
    app.router.add_post("/sites/new", sites.submit)
    app.router.add_get("/contractor/{secret}", service_sheets.show_work)
    app.router.add_post("/contractor/{secret}", service_sheets.sign_work)
    app.router.add_get("/invitation/{token}", invitation.show)
    app.router.add_post("/invitation/{token}", invitation.submit)
    app.router.add_get("/manifest.webmanifest", installable.show_manifest)
    app.router.add_get("/service-worker.js", installable.show_worker)
    app.router.add_get("/offline", installable.show_offline)
    app.router.add_get("/verify", verification.show_form)
    app.router.add_get("/verify/{number}/{code}", verification.show_verdict)
    for page in PAGES:
        answer = at_desk(page.handler, page.action)
        if page.path == "/":
            answer = at_front_door(answer, page.action)
        app.router.add_route(page.method, page.path, answer)


CONSOLE = Door("console", ("/", f"{PREFIX}/"), add_routes, render_failure)
