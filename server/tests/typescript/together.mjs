// What happens to clients of LiveStore and of larder that share a store: answers that are lost, a client that stalls, tokens, another log.
import assert from 'node:assert/strict'

import { back, converged, Lab, must, sleep, whole } from './lab.mjs'

/** Waits for what a client or its witness says; a run that waits in vain says for what. */
const until = async (what, is) => {
  for (const end = Date.now() + 60_000; !(await is()); await sleep(50)) assert.ok(Date.now() < end, `in vain for ${what}`)
}

const ids = (state) => state.notes.map(([id]) => id).sort()

export const together = {
  'one answer to a push that is lost makes nothing twice, whoever pushed': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'lostanswer', transport }
    const all = [await lab.client('a', at), await lab.larder('b', at), await lab.larder('c', at, { livestore: true })]
    let notes = 0
    const note = async (client) => {
      const id = `${client.options.client}-${notes++}`
      await client.note(id)
      return id
    }
    for (const how of ['answer', 'connection']) {
      for (const [turn, client] of all.entries()) {
        const lost = client.witness.loseAnswer(how)
        const id = await note(client)
        const batch = await lost
        assert.deepEqual(batch.map((event) => event.args.id), [id], 'the push that was meant')
        const taken = (await lab.log(at.store)).filter((event) => event.args.id === id)
        assert.equal(taken.length, 1, 'the server has taken what nobody was told of')
        // Others go on meanwhile, and so does the client itself.
        await note(all[(turn + 1) % all.length])
        await note(client)
        must(await converged(lab, at.store, all, notes), `${client.options.client} after a lost ${how}`)
      }
    }
    const lost = all.map(({ witness }) => witness.heard.filter(({ from, frame }) => from === 'lost' && frame._tag === 'Exit').length)
    assert.deepEqual(lost, [2, 2, 2], 'each has lost two answers')
    await lab.close()
  },

  'a client that stalls and is killed delivers the rest from its disk, behind what others did': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'stalled', transport }
    const [a, b, d] = [await lab.client('a', at), await lab.client('b', at), await lab.larder('d', at)]
    const all = [a, b, d]
    for (const client of all) await client.note(`${client.options.client}-0`)
    must(await converged(lab, at.store, all, 3), 'before')
    const stalled = [a, d]
    // As a client that pushes nothing any more: what it commits is on its disk alone.
    for (const client of stalled) client.witness.keepPushes(true)
    for (const client of stalled) for (let number = 1; number < 11; number++) await client.note(`${client.options.client}-${number}`)
    for (let number = 1; number < 11; number++) await b.note(`b-${number}`)
    must(await converged(lab, at.store, [b], 13), 'the one that does not stall')
    const acknowledged = await lab.log(at.store)
    for (const client of stalled) {
      // A client of LiveStore shows for a moment less than it has, while it takes over what others did.
      await until(`${client.options.client} to show its own`, async () => (await client.state()).notes.length >= 13)
      await client.kill()
      client.witness.keepPushes(false)
    }
    assert.equal((await lab.log(at.store)).length, 13, 'nothing of it was sent')
    for (const client of stalled) await client.boot()
    const log = await converged(lab, at.store, all, 33)
    must(log, 'after both were started again')
    assert.deepEqual(log.slice(0, 13), acknowledged, 'what was acknowledged stays where it is')
    const rest = log.slice(13).map((event) => event.args.id)
    for (const client of stalled) {
      const own = rest.filter((id) => id.startsWith(`${client.options.client}-`))
      assert.deepEqual(own, Array.from({ length: 10 }, (_, number) => `${client.options.client}-${number + 1}`), 'complete and in order')
    }
    await lab.close()
  },

  'a payload says who asks, of both kinds of clients, and a token that is withdrawn keeps events where they are': async (transport) => {
    const rules = (...tokens) => `[auth]\n[[auth.rules]]\nstores = ["private*"]\ntokens = ${JSON.stringify(tokens)}\n`
    const lab = await Lab.open({ rules: rules('right', 'second') })
    const at = (token) => ({ store: 'private', transport, token })
    const [a, b] = [await lab.client('a', at('right')), await lab.larder('b', at('right'))]
    const second = [await lab.client('c', at('second')), await lab.larder('d', at('second')), await lab.larder('e', at('second'), { livestore: true })]
    const wrong = [await lab.client('w', at('wrong')), await lab.larder('x', at('wrong')), await lab.larder('y', at('wrong'), { livestore: true })]
    const good = [a, b, ...second]
    for (const client of [...good, ...wrong]) await client.note(`${client.options.client}-0`)
    must(await converged(lab, 'private', good, 5, { token: 'right' }), 'with right tokens')
    await lab.rules(rules('right'), { store: 'private', permitted: 'right', refused: 'second' })
    const refused = (client) => client.witness.refusals + client.witness.unauthorized()
    const before = second.map(refused)
    for (const client of second) for (let number = 1; number < 4; number++) await client.note(`${client.options.client}-${number}`)
    await a.note('a-1')
    must(await converged(lab, 'private', [a, b], 6, { token: 'right' }), 'those that are let in go on')
    for (const [number, client] of second.entries()) await until(`${client.options.client} to be refused`, () => refused(client) > before[number])
    for (const client of wrong) {
      await until(`${client.options.client} to be refused`, () => refused(client) > 0)
      assert.deepEqual(ids(await client.state()), [`${client.options.client}-0`], 'its own event, and no other')
    }
    for (const client of second) {
      const own = ids(await client.state()).filter((id) => id.startsWith(client.options.client))
      assert.equal(own.length, 4, 'what it has committed is kept')
    }
    assert.equal(whole(await lab.log('private', 'right')).length, 6, 'and nothing of it was taken')
    await lab.rules(rules('right', 'second'), { store: 'private', permitted: 'second' })
    // A client of 0.4 whose pull was refused begins again when it is started again; larder's ask again by themselves.
    await second[0].close()
    await second[0].boot()
    must(await converged(lab, 'private', good, 15, { token: 'right' }), 'with the token that is right again')
    for (const client of wrong) {
      await client.close()
      await client.boot({ token: 'right' })
    }
    must(await converged(lab, 'private', [...good, ...wrong], 18, { token: 'right' }), 'and with a right one instead of a wrong one')
    await lab.close()
  },

  'after another log has taken its place both kinds of clients meet on that': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'replaced', transport }
    const [a, b] = [await lab.client('a', at), await lab.larder('b', at)]
    const both = async (number) => {
      for (const client of [a, b]) await client.note(`${client.options.client}-${number}`)
      must(await converged(lab, at.store, [a, b], 2 * number + 2), `round ${number}`)
    }
    await both(0)
    lab.command('backup', '--data', lab.data, '--to', `${lab.folder}/backup`)
    await both(1)
    await a.witness.has(4)
    await lab.stop()
    await b.note('b-2')
    lab.command('restore', '--data', lab.data, '--from', `${lab.folder}/backup`)
    await lab.start()
    await back(transport, [a])
    // larder stops, says why, and keeps all.
    await until('larder to stop', async () => (await b.state()).phase === 'Stopped')
    const stopped = await b.state()
    assert.match(stopped.why, /has another log/)
    assert.deepEqual([ids(stopped), stopped.pending], [['a-0', 'a-1', 'b-0', 'b-1', 'b-2'], 1])
    // LiveStore clears its data and ends its store by itself; what is left of it is ended, and it boots clean.
    await sleep(6000)
    await a.kill()
    await a.boot()
    await a.note('a-2')
    must(await converged(lab, at.store, [a], 3), 'the one that began anew')
    // Told to, larder begins anew with that log, and sends what it had committed and that has not.
    await b.close()
    await b.boot({ reset: true })
    const log = await converged(lab, at.store, [a, b], 5)
    must(log, 'both')
    assert.deepEqual(whole(log).sort(), ['a-0', 'a-2', 'b-0', 'b-1', 'b-2'])
    await lab.close()
  },
}
