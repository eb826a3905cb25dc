/// What the page is made of, from the folder `Assets`.
package enum PageAssets {
    /// Each imports only from those before it.
    package static let modules: [PageDocument.Module] = [
        .init("text.js", PackageResources.text_js),
        .init("dom.js", PackageResources.dom_js),
        .init("api.js", PackageResources.api_js),
        .init("files.js", PackageResources.files_js),
        .init("dialogs.js", PackageResources.dialogs_js),
        .init("session.js", PackageResources.session_js),
        .init("course.js", PackageResources.course_js),
        .init("memory.js", PackageResources.memory_js),
        .init("upload.js", PackageResources.upload_js),
        .init("queue.js", PackageResources.queue_js),
        .init("chosen.js", PackageResources.chosen_js),
        .init("panel.js", PackageResources.panel_js),
        .init("folder.js", PackageResources.folder_js),
        .init("main.js", PackageResources.main_js),
    ]

    package static let document = PageDocument(
        html: PackageResources.index_html, style: PackageResources.page_css, modules: Self.modules)
}
