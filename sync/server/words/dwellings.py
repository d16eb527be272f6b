"""What the pages of the dwelling register say."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words.pairs import Pair

WORDS: Mapping[str, Pair] = {
    "dwellings": ("房屋", "Dwellings"),
    "dwellings_grid": ("楼栋图", "By building"),
    "dwellings_missing": ("未申请", "Not applied"),
    "dwellings_idle": ("久未出入", "Not seen lately"),
    "dwellings_proposed": ("居民写的房号", "Written rooms"),
    "dwellings_add": ("登记房屋", "Add dwellings"),
    "dwellings_roster": ("原有名单", "Earlier list"),
    "dwellings_total": ("登记{n}套", "{n} in the register"),
    "dwellings_unit": ("{unit}单元", "Unit {unit}"),
    "dwellings_floor": ("{n}层", "Floor {n}"),
    "dwellings_no_floor": ("楼层不明", "Floor not known"),
    "dwellings_legend": ("图例和套数", "What the signs mean, and how many"),
    "dwellings_here": ("楼栋{building}，共{n}套", "Building {building}: {n}"),
    "dwellings_of_building": ("楼栋{building}", "Building {building}"),
    "dwellings_whole": ("全小区，共{n}套", "Whole compound: {n}"),
    "dwellings_tabs": ("选择楼栋；数字是未申请的套数", "Choose a building; the number is how many have not applied"),
    "dwellings_empty": (
        "还没有登记房屋。登记以后，居民在表上选房号，这里看得出哪一户还没申请。",
        "No dwellings yet. Once they are registered, residents pick theirs on the form, and you see here who has not "
        "applied.",
    ),
    "dwellings_empty_pattern": ("按规律生成，几分钟就好", "Make them by pattern, in minutes"),
    "dwellings_empty_sheet": ("从表格导入", "Import a table"),
    "dwellings_state.collected": ("已领证", "Collected"),
    "dwellings_state.applied": ("已申请", "Applied"),
    "dwellings_state.none": ("未申请", "NOT applied"),
    "dwellings_state.refused": ("拒绝办理", "Refused"),
    "dwellings_state.vacant": ("空置", "Vacant"),
    "dwellings_state.not_here": ("不住这里", "Lives elsewhere"),
    "dwellings_state.moved": ("已搬走", "Moved away"),
    "dwellings_found.": ("没去过", "Not visited"),
    "dwellings_found.present": ("有人住", "Somebody lives here"),
    "dwellings_found.nobody": ("敲门没人应", "Nobody answered"),
    "dwellings_found.refused": ("拒绝办理", "Refused"),
    "dwellings_found.vacant": ("空置", "Vacant"),
    "dwellings_found.not_here": ("不住这里", "Lives elsewhere"),
    "dwellings_found.moved": ("已搬走", "Moved away"),
    "dwellings_remove": ("这栋楼登记错了？", "Was this building registered by mistake?"),
    "dwellings_remove_hint": (
        "只删没人申请、没有上门记录的房屋，其余不动。可以再生成。",
        "Removes only dwellings nobody applied from and nobody visited; the rest stay. They can be made again.",
    ),
    "dwellings_remove_yes": ("删去这栋楼没用到的房屋", "Remove this building's unused dwellings"),
    "dwellings_removed": ("已删去：", "Removed: "),
    # One dwelling
    "dwellings_people": ("这里的申请", "Applications from here"),
    "dwellings_no_people": ("还没有人从这里申请。", "Nobody has applied from here yet."),
    "dwellings_case.applied": ("待审核", "waiting for review"),
    "dwellings_case.correct": ("请居民更正", "sent back to correct"),
    "dwellings_case.observe": ("居家观察", "under observation"),
    "dwellings_case.approved": ("已通过，未领证", "approved, not collected"),
    "dwellings_case.collected": ("已领证", "collected"),
    "dwellings_case.not_here": ("不住这里", "does not live here"),
    "dwellings_case.cancelled": ("已取消", "cancelled"),
    "dwellings_case.moved": ("已搬走", "moved away"),
    "dwellings_visits": ("上门记录", "Visits"),
    "dwellings_no_visits": ("还没有上门记录。", "No visits yet."),
    "dwellings_visit": ("记一次上门", "Note a visit"),
    "dwellings_visit_found": ("看到的情况", "What you found"),
    "dwellings_note": ("备注（不写病情和身份证号）", "Note (no illness, no document number)"),
    "dwellings_note_short": ("备注", "Note"),
    "dwellings_visit_hint": (
        "记错了就再记一次，以最新的为准；没人应不改变以前看到的情况。",
        "Noted wrongly? Note it again: the newest counts. Nobody answering does not undo what was found before.",
    ),
    "dwellings_by": ("经办", "By"),
    "dwellings_at": ("时间", "When"),
    "dwellings_waiting": (
        "这间房是居民自己写的，还没进登记册。",
        "A resident wrote this room; it is not in the register yet.",
    ),
    # Who has not applied
    "dwellings_missing_count": ("套房未申请", "dwellings have not applied"),
    "dwellings_missing_of": (
        "登记{total}套，已申请{done}套。另有不计入的：空置{vacant}，不住这里{not_here}，已搬走{moved}，拒绝办理{refused}。",
        "Of {total} in the register {done} have applied. Left out of the number: {vacant} vacant, {not_here} living "
        "elsewhere, {moved} moved away, {refused} refused.",
    ),
    "dwellings_building": ("楼栋", "Building"),
    "dwellings_all_buildings": ("所有楼栋", "All buildings"),
    "dwellings_visit_result": ("上门情况", "What visits found"),
    "dwellings_choice.": ("未申请（要上门的）", "Not applied (to be visited)"),
    "dwellings_choice.everything": ("全部没有申请的", "All without an application"),
    "dwellings_choice.unvisited": ("没去过", "Not visited"),
    "dwellings_last_visit": ("最近上门", "Last visit"),
    "dwellings_export": ("导出这张表（.xlsx）", "Take this list away (.xlsx)"),
    "dwellings_export_hint": (
        "只有房号，没有个人信息；导出会记下是谁、什么时候。",
        "Dwellings only, nobody's name; who takes it, and when, is recorded.",
    ),
    "dwellings_sheet_title": ("未申请的房屋", "Not applied"),
    "dwellings_all_applied": ("没有。这里每一户都申请了。", "None: everybody here has applied."),
    "dwellings_previous": ("上一页", "Previous page"),
    "dwellings_next": ("下一页", "Next page"),
    "dwellings_room": ("房号", "Room"),
    # Not seen lately
    "dwellings_idle_hint": (
        "居民的有效出入证，办了14天以上，最近14天没有在本小区门口用过。可能搬走了，或者需要帮助，值得上门看看。"
        "跟着别人进门、由保安直接放行、门口断网还没上传的，这里看不到。",
        "Active passes of residents, older than 14 days, with which nobody came through a gate of this compound for 14 "
        "days. They may have moved, or need help: worth a visit. Left out is who walks in with others, whom the guard "
        "waves through, and what gates without a network have not sent yet.",
    ),
    "dwellings_last_seen": ("最近一次", "Last time"),
    "dwellings_not_seen": ("记录里没有", "Not in the record"),
    "dwellings_none_idle": ("没有。14天内都用过。", "None: all of them were used within 14 days."),
    # Written rooms
    "dwellings_proposed_hint": (
        "居民在表上没找到自己的房号，自己写的。对的一下就收进登记册；写法不同的，并到已有的那一套。",
        "Rooms residents wrote because the form did not offer theirs. Take the right ones into the register; join "
        "those that are only written differently.",
    ),
    "dwellings_none_proposed": ("没有等着处理的。", "None waiting."),
    "dwellings_applications": ("{n}份申请", "Applications: {n}"),
    "dwellings_take": ("收进登记册：{name}", "Take in: {name}"),
    "dwellings_take_as": ("收进登记册", "Take in"),
    "dwellings_join": ("并到：{name}", "Join to: {name}"),
    "dwellings_join_to": ("并到已有的房屋", "Join to an existing one"),
    "dwellings_join_words": ("已有的房屋，如3-2-501", "The existing dwelling, like 3-2-501"),
    "dwellings_dismiss": ("不是本小区的房屋", "Not a dwelling of ours"),
    "dwellings_dismiss_hint": (
        "以后不再问；申请本身在审核里处理。",
        "It is not asked about again; the application itself is decided on in the review.",
    ),
    "dwellings_otherwise": ("不是这样？", "Something else?"),
    "dwellings_unknown_room": (
        "登记册里没有这套房，或不止一套。请写完整，如3-2-501。",
        "The register has no such dwelling, or more than one. Write it in full, like 3-2-501.",
    ),
    "dwellings_done_take": ("已收进登记册：", "Taken in: "),
    "dwellings_done_join": ("已并到：", "Joined to: "),
    "dwellings_done_dismiss": ("已搁置：", "Set aside: "),
    "dwellings_waiting_rooms": ("居民写的房号等着处理：", "Rooms residents wrote, waiting: "),
    # By pattern
    "dwellings_generate": ("按规律生成", "Make by pattern"),
    "dwellings_generate_hint": (
        "一次做一批一样的楼；不一样的楼，改几个字再做一次。已有的不会重复，也不会改动。",
        "Buildings of one shape at a time; for others, change a few words and go again. What is there already is "
        "neither doubled nor changed.",
    ),
    "dwellings_field.buildings": ("楼栋", "Buildings"),
    "dwellings_field.buildings.hint": (
        "如：1-12，或 A座-F座，或 1-6, 8, 会所楼",
        "Like: 1-12, or A-F, or 1-6, 8, Garden",
    ),
    "dwellings_field.units": ("单元", "Units"),
    "dwellings_field.units.hint": ("如：1-3；没有就空着", "Like: 1-3, or leave it empty"),
    "dwellings_field.floors": ("楼层", "Floors"),
    "dwellings_field.floors.hint": ("如：1-32；地下写B1", "Like: 1-32; below ground B1"),
    "dwellings_field.doors": ("每层房号", "Rooms on a floor"),
    "dwellings_field.doors.hint": ("如：01-06，或 A-D", "Like: 01-06, or A-D"),
    "dwellings_gaps": ("没有的", "What there is not"),
    "dwellings_field.no_floors": ("没有的楼层", "Floors left out"),
    "dwellings_field.no_floors.hint": ("如：4, 13, 14", "Like: 4, 13, 14"),
    "dwellings_field.no_doors": ("每层没有的房号", "Rooms left out on every floor"),
    "dwellings_field.no_doors.hint": ("如：04", "Like: 04"),
    "dwellings_field.no_rooms": ("单独没有的房号", "Single rooms left out"),
    "dwellings_field.no_rooms.hint": ("如：101, 102, 3205-3206", "Like: 101, 102, 3205-3206"),
    "dwellings_wide": ("楼层写两位：0501", "Floors of two digits: 0501"),
    "dwellings_preview": ("先看一看", "Look first"),
    "dwellings_would_add": ("将新增", "To be added"),
    "dwellings_unit_word": ("套", "dwellings"),
    "dwellings_there": ("已有，不变", "there already, unchanged"),
    "dwellings_samples": ("从第一套到最后一套", "From the first to the last"),
    "dwellings_new": ("新增", "New"),
    "dwellings_write": ("登记 {n} 套", "Register {n}"),
    "dwellings_nothing_new": ("这些都已经登记了，没有新增。", "All of these are registered already; nothing to add."),
    "dwellings_added": (
        "已登记，新增{new}套，原来就有{there}套。",
        "Registered: {new} new, {there} were there already.",
    ),
    "dwellings_see_grid": ("看楼栋图", "See the building"),
    # From a table
    "dwellings_import": ("从表格导入", "Import a table"),
    "dwellings_import_hint": (
        "表格第一行写列名：楼栋、单元、楼层、房号；或者只有一列“房屋”，写3-2-501这样的。"
        ".xlsx 或 .csv，最多5万行、8 MB。",
        "The first line names the columns: building, unit, floor, room; or one column, dwelling, like 3-2-501. "
        ".xlsx or .csv, at most 50,000 lines and 8 MB.",
    ),
    "dwellings_template": ("下载样表", "Take an empty table"),
    "dwellings_file": ("表格文件", "The table"),
    "dwellings_no_file": ("请先选一个文件。", "Choose a file first."),
    "dwellings_lines": ("读到{n}行", "{n} lines read"),
    "dwellings_wrong_lines": (
        "有{n}行不对，什么都没有导入。请改好表格再传一次：",
        "{n} lines are wrong, and nothing was imported. Mend the table and send it again:",
    ),
    "dwellings_more_wrong": ("只列出前{n}行。", "Only the first {n} are shown."),
    "dwellings_line": ("行号", "Line"),
    "dwellings_stands": ("表里写的", "What stands there"),
    "dwellings_wrong": ("哪里不对", "What is wrong"),
    "dwellings_take_over": ("导入 {n} 套", "Import {n}"),
    "dwellings_kept_hint": (
        "导入的就是上面看到的这些；文件本身不保存。",
        "What is imported is exactly what is shown above; the file itself is not kept.",
    ),
    # The earlier list
    "dwellings_roster_hint": (
        "社区以前掌握的人员名单。只用来看申请的人是“原来就知道的”还是“新发现的”。"
        "只保存证件号码的加密指纹，认不出是谁，文件和号码都不保存。",
        "The people the community knew before. It only tells whether somebody who applies was known or is newly "
        "found. Only keyed fingerprints of document numbers are kept: they name nobody; neither file nor numbers stay.",
    ),
    "dwellings_roster_columns": (
        "第一行写列名：证件类型、证件号码（没有类型就当身份证）。号码那一列请设为文本格式。",
        "The first line names the columns: document kind, document number (without a kind: identity card). Format the "
        "column of numbers as text.",
    ),
    "dwellings_roster_now": ("名单上现有{n}人", "On the list now: {n}"),
    "dwellings_roster_new": ("新加{n}人", "{n} new"),
    "dwellings_roster_there": ("原来就在名单上{n}人", "{n} on the list already"),
    "dwellings_roster_twice": ("表里重复{n}行，按一个人算", "{n} lines say somebody twice; each counts once"),
    "dwellings_roster_take": ("加入名单 {n} 人", "Add {n} people"),
    "dwellings_roster_done": ("已加入名单，新加：", "Added to the list: "),
    "dwellings_roster_clear": ("清空名单", "Forget the list"),
    "dwellings_roster_clear_hint": (
        "清空后，所有申请的人都算“新发现的”。不能恢复，只能重新导入。",
        "Everybody who applied then counts as newly found. It cannot be undone, only imported again.",
    ),
    "dwellings_roster_cleared": ("名单已清空，原有：", "The list is forgotten; it had: "),
    "dwellings_head.number": ("证件号码", "Document number"),
    "dwellings_head.kind": ("证件类型", "Document kind"),
    "dwellings_head.floor": ("楼层", "Floor"),
    "dwellings_head.unit": ("单元", "Unit"),
    "too_large": ("文件太大，最多8 MB。请分几次传。", "Too large: at most 8 MB. Send it in parts."),
}
