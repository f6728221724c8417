"""Microsoft's official Python SDK (msgraph-sdk) reads the simulated tenant: mail, folders, delta and trace. One JSON line is the result."""

import asyncio
import json
import os
import ssl
from datetime import datetime
from urllib.parse import urlparse

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.internet_message_header import InternetMessageHeader
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.message import Message
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.users.item.mail_folders.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody

ROOT, CA = os.environ["ROOT"], os.environ["CA"]


async def main():
    credential = ClientSecretCredential(
        os.environ["TENANT"], os.environ["APP"], os.environ["SECRET"],
        authority=ROOT, disable_instance_discovery=True, connection_verify=CA,
    )
    host = urlparse(ROOT)
    auth = AzureIdentityAuthenticationProvider(
        credential, scopes=[f"{ROOT}/.default"], allowed_hosts=[host.hostname, host.netloc]
    )
    client = httpx.AsyncClient(verify=ssl.create_default_context(cafile=CA))
    adapter = GraphRequestAdapter(auth, client)
    adapter.base_url = f"{ROOT}/v1.0"
    graph = GraphServiceClient(request_adapter=adapter)
    seen = {}

    draft = Message(
        subject="from the SDK",
        body=ItemBody(content_type=BodyType.Text, content="Hello."),
        to_recipients=[Recipient(email_address=EmailAddress(address="ok@tenant.example"))],
        internet_message_headers=[InternetMessageHeader(name="X-Mailflow-Probe", value="sdk")],
    )
    body = SendMailPostRequestBody(message=draft, save_to_sent_items=False)
    await graph.users.by_user_id("probe@tenant.example").send_mail.post(body)

    user = graph.users.by_user_id("ok@tenant.example")
    wanted = MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(
        select=["subject", "receivedDateTime", "internetMessageHeaders"], orderby=["receivedDateTime desc"]
    )
    inbox = user.mail_folders.by_mail_folder_id("inbox")
    page = await inbox.messages.get(RequestConfiguration(query_parameters=wanted))
    seen["inbox"] = sorted(m.subject for m in page.value)
    seen["times"] = all(isinstance(m.received_date_time, datetime) for m in page.value)
    seen["tags"] = sorted(h.value for m in page.value for h in m.internet_message_headers if h.name == "X-Mailflow-Probe")

    german = graph.users.by_user_id("junk-de@tenant.example").mail_folders
    seen["junk"] = (await german.by_mail_folder_id("junkemail").get()).display_name
    seen["folders"] = len((await german.get()).value)

    first = await inbox.messages.delta.get()
    moved = first.value[0].id
    await user.messages.by_message_id(moved).permanent_delete.post()
    second = await inbox.messages.delta.with_url(first.odata_delta_link).get()
    seen["removed"] = [m.id == moved and "@removed" in m.additional_data for m in second.value]
    seen["mime"] = b"X-Mailflow-Probe" in await user.messages.by_message_id(first.value[1].id).content.get()

    traces = graph.admin.exchange.tracing.message_traces
    rows = (await traces.get()).value
    seen["trace"] = sorted(f"{row.recipient_address} {row.status.value}" for row in rows)
    failed = next(row for row in rows if row.status.value == "failed")
    details = traces.by_exchange_message_trace_id(failed.id).get_details_by_recipient_with_recipient_address(failed.recipient_address)
    seen["events"] = [event.event for event in (await details.get()).value]

    try:
        await graph.users.by_user_id("unlicensed@tenant.example").mail_folders.get()
    except ODataError as error:
        seen["error"] = [error.response_status_code, error.error.code]
    await credential.close()
    print(json.dumps(seen))


asyncio.run(main())
